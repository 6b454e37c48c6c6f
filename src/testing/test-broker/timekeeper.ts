import type { Ledger } from "./ledger.ts";
import { realNow, turn } from "./real-time.ts";

/** Moves virtual time, and waits in real time for what runs. */
export class Timekeeper {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Moves time by `ms`; what becomes due runs in its order, with a turn of the event loop after each time. */
  async advance(ms: number): Promise<void> {
    const { clock } = this.#ledger;
    await this.#turn();
    const end = clock.now() + ms;
    while (clock.nextDueAt <= end) {
      clock.moveTo(clock.nextDueAt);
      await this.#turn();
    }
    clock.moveTo(end);
  }

  /** Lets handlers end and passes the time between attempts until nothing is left to do. */
  async settled(timeoutMs: number): Promise<void> {
    const { activity, clock } = this.#ledger;
    const deadlineAt = realNow() + timeoutMs;
    for (;;) {
      await this.#idle(deadlineAt, timeoutMs, () => activity.busy);
      const wait = activity.nextWait;
      if (wait === undefined) return;
      if (realNow() >= deadlineAt) {
        const left = `${wait.what}, is due in ${wait.dueAt - clock.now()} ms of virtual time`;
        throw new Error(`There was no end of retries within ${timeoutMs} ms: ${left}.`);
      }
      clock.moveTo(wait.dueAt);
    }
  }

  /** Waits until no handler runs within its time limit, and everything that was taken is settled. Time stands still. */
  async idle(timeoutMs: number): Promise<void> {
    await this.#idle(realNow() + timeoutMs, timeoutMs, () => this.#ledger.activity.busyInTime);
  }

  /** Passes the time between the attempts that are to come, whatever runs. */
  async passWaits(): Promise<void> {
    const { activity, clock } = this.#ledger;
    for (let wait = activity.nextWait; wait !== undefined; wait = activity.nextWait) {
      clock.moveTo(wait.dueAt);
      await this.#turn();
    }
  }

  /**
   * Waits for something that ends when handlers have ended, or else at a deadline of the library: handlers within their time
   * limit get `timeoutMs` of real time; after that, and where none runs, virtual time passes.
   */
  async until<T>(ending: Promise<T>, timeoutMs: number): Promise<T> {
    const { activity, clock } = this.#ledger;
    const deadlineAt = realNow() + timeoutMs;
    let ended = false;
    const end = (): void => {
      ended = true;
      activity.touch();
    };
    ending.then(end, end);
    for (await this.#turn(); !ended; await this.#turn()) {
      if (activity.busyInTime && realNow() < deadlineAt) await activity.change(deadlineAt);
      else if (clock.nextDueAt < Number.POSITIVE_INFINITY) clock.moveTo(clock.nextDueAt);
      else break;
    }
    return ending;
  }

  async #idle(deadlineAt: number, timeoutMs: number, busy: () => boolean): Promise<void> {
    const { activity } = this.#ledger;
    for (await this.#turn(); busy(); await this.#turn()) {
      if (realNow() >= deadlineAt) throw stuck(timeoutMs, activity.describe());
      await activity.change(deadlineAt);
    }
  }

  /** Lets everything run that is ready, and what is due without any delay. */
  async #turn(): Promise<void> {
    do await turn();
    while (this.#ledger.clock.imminent);
  }
}

function stuck(timeoutMs: number, running: readonly string[]): Error {
  const what = running.map((line) => `\n  - ${line}`).join("");
  const advice = "advance(ms) passes virtual time for a handler that waits for its time limit.";
  return new Error(`After ${timeoutMs} ms of real time this still runs:${what}\n${advice}`);
}
