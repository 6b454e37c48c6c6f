import type { QueueAdmin } from "../driver.ts";
import { queueLaneId } from "./lane-ids.ts";
import type { Outbox } from "./outbox.ts";

/** The queues of an outbox. */
export function outboxQueues(outbox: Outbox): QueueAdmin {
  return {
    async create(pattern, queue) {
      outbox.lanes.open(queueLaneId(pattern, queue), "queue", pattern, queue);
    },
    async list() {
      const queues = outbox.lanes.all().filter((lane) => lane.kind === "queue");
      return queues.map((lane) => ({
        topic: lane.pattern,
        queue: lane.queue ?? "",
        members: lane.members.filter((member) => !member.leaving).length,
        messages: lane.size,
      }));
    },
    async remove(pattern, queue) {
      const lane = outbox.lanes.get(queueLaneId(pattern, queue));
      if (lane === undefined) return false;
      const { members } = lane;
      const staying = [...members];
      outbox.removeLane(lane, "its queue was removed");
      // Members that live keep their subscription: to the queue as if it were new.
      if (staying.length > 0) {
        const fresh = outbox.lanes.open(lane.id, "queue", pattern, queue);
        for (const member of staying) outbox.addMember(fresh, member);
      }
      return true;
    },
  };
}
