import type { Answers } from "./answers.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { Member } from "./member.ts";

/** Hands over what is in line to the members of its lane, as far as they have room. */
export class Handover {
  readonly #answers: Answers;
  #holds = 0;
  #putOff: Lane[] = [];

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** Nothing is handed over until `release`. May be nested. */
  hold(): void {
    this.#holds += 1;
  }

  /** Hands over what `hold` put off. */
  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0 || this.#putOff.length === 0) return;
    const lanes = this.#putOff;
    this.#putOff = [];
    for (const lane of lanes) {
      lane.putOff = false;
      this.dispatch(lane);
    }
  }

  /** Hands over what is in line, as far as there is room. */
  dispatch(lane: Lane): void {
    // Offering may settle at once, and so come back here; the loop that runs already then goes on.
    if (lane.dispatching || lane.putOff) return;
    if (this.#holds > 0) {
      lane.putOff = true;
      this.#putOff.push(lane);
      return;
    }
    lane.dispatching = true;
    while (lane.due.size > 0 || lane.ready.size > 0) {
      const member = lane.pick();
      if (member === undefined) {
        if (lane.members.length === 1) lane.members[0]?.carrier.starve?.();
        break;
      }
      this.#offer(member, lane.next() as Entry);
    }
    lane.dispatching = false;
  }

  #offer(member: Member, entry: Entry): void {
    member.take(entry);
    if (member.takesAll) {
      entry.state = "accepted";
      this.#answers.settle(entry, true);
      // Who heard of the answer may have removed the queue.
      if (entry.member === member) member.carrier.offer(entry);
      return;
    }
    if (member.pipelined) member.room -= 1;
    else member.offering = true;
    member.carrier.offer(entry);
  }
}
