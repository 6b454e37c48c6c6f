import { Agenda } from "../internal/agenda.ts";
import type { Clock } from "../internal/clock.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import type { Member } from "./member.ts";

/** What waits for a time: retries for the end of their delay, and members for the end of a pause. */
export class Delays {
  readonly #clock: Clock;
  readonly #agenda: Agenda;
  readonly #dispatch: (lane: Lane) => void;

  /** @param dispatch hands over what is in line, of a lane in which there is something new to hand over. */
  constructor(clock: Clock, dispatch: (lane: Lane) => void) {
    this.#clock = clock;
    this.#agenda = new Agenda(clock);
    this.#dispatch = dispatch;
  }

  /** An entry waits out of the line of its lane. */
  delay(entry: Entry, delayMs: number): void {
    const { lane } = entry;
    entry.state = "delayed";
    lane.delayed.add(entry);
    entry.dueAt = this.#clock.now() + delayMs;
    const appointment = this.#agenda.at(entry.dueAt, () => {
      // A reader that came earlier may have had it, and failed again, since.
      if (entry.delay !== appointment) return;
      this.end(entry);
      this.#dispatch(lane);
    });
    entry.delay = appointment;
  }

  /** An entry waits no longer: it is the next in line. */
  end(entry: Entry): void {
    if (!entry.lane.delayed.delete(entry)) return;
    entry.state = "ready";
    entry.lane.due.push(entry);
  }

  /** A member is offered nothing for a while. */
  pause(member: Member, pauseMs: number): void {
    const until = pauseMs > 0 ? this.#clock.now() + pauseMs : 0;
    member.pausedUntil = until;
    const resume = () => {
      if (member.pausedUntil === until) member.pausedUntil = 0;
      if (member.lane !== undefined) this.#dispatch(member.lane);
    };
    if (until === 0) return resume();
    this.#agenda.at(until, resume);
    if (member.lane !== undefined) this.#dispatch(member.lane);
  }

  /** Forgets everything. */
  clear(): void {
    this.#agenda.clear();
  }
}
