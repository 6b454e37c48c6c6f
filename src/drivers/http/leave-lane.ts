import type { Member } from "../../outbox/member.ts";
import type { Outbox } from "../../outbox/outbox.ts";

/**
 * A subscription of another process left: nothing more is offered to it. What it holds it may still answer for; a queue's
 * messages go to the other members, and a broadcast subscription's are given up.
 * @param onLeft called once it holds nothing any more
 */
export function leaveLane(outbox: Outbox, member: Member, onLeft: () => void = () => {}): void {
  const { lane } = member;
  member.leave();
  if (lane === undefined) return onLeft();
  const leave = () => {
    outbox.removeMember(member, false);
    if (lane.kind === "broadcast" && lane.members.length === 0) outbox.removeLane(lane, "its subscriber is gone");
    onLeft();
  };
  if (member.entries.size === 0) leave();
  else void outbox.when(() => member.entries.size === 0).then(leave);
  if (lane.kind === "broadcast")
    for (const entry of [...lane.ready, ...lane.due, ...lane.delayed]) outbox.giveUp(entry, "its subscriber is gone");
}
