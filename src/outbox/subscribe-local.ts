import type { DriverSubscription, SubscribeRequest } from "../driver.ts";
import { isDeadLetterTopic, isPattern } from "../topics.ts";
import type { Lane, LaneKind } from "./lane.ts";
import { queueLaneId, standingLaneId } from "./lane-ids.ts";
import { localCarrier, Member } from "./member.ts";
import type { Outbox } from "./outbox.ts";

/** What a subscription takes from, wherever it is: its pattern, and its queue if it has one. */
export interface LaneAddress {
  readonly id: string;
  readonly pattern: string;
  readonly queue: string | undefined;
}

/** The kind of lane that a subscription needs. */
function laneKind({ pattern, queue }: LaneAddress): LaneKind {
  if (queue !== undefined) return "queue";
  return isDeadLetterTopic(pattern) && !isPattern(pattern) ? "standing" : "broadcast";
}

/** The lane of a subscription, made if it is new. */
export function laneOf(outbox: Outbox, address: LaneAddress): Lane {
  const { id, pattern, queue } = address;
  const kind = laneKind(address);
  if (queue !== undefined) return outbox.lanes.open(queueLaneId(pattern, queue), kind, pattern, queue);
  return outbox.lanes.open(kind === "standing" ? standingLaneId(pattern) : id, kind, pattern, undefined);
}

/** Subscribes within this process. `onAbandoned` hears how many messages of `owner` only a disconnecting subscription wanted. */
export function subscribeLocal(
  outbox: Outbox,
  request: SubscribeRequest,
  owner: object,
  onAbandoned: (count: number) => void,
): DriverSubscription {
  const lane = laneOf(outbox, request);
  const member = new Member(request.id, request.prefetch, localCarrier(request));
  outbox.addMember(lane, member);
  let closed = false;
  return {
    async stop() {
      member.leave();
    },
    async close(disconnecting) {
      if (closed) return;
      closed = true;
      outbox.removeMember(member, false);
      if (lane.kind !== "broadcast") return;
      const lost = outbox.removeLane(lane, disconnecting ? "its subscriber disconnected" : undefined);
      if (disconnecting) onAbandoned(lost.filter((message) => message.owner === owner).length);
    },
  };
}
