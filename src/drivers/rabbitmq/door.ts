import type { Excuses } from "./excuses.ts";
import type { Received } from "./native-message.ts";
import type { Source } from "./source.ts";

/** Takes the message in, with the deaths that it has seen. */
type Enter = (deaths: number) => void;

/**
 * Where messages enter a subscription. One that came back from another process is looked up first, and those behind it wait so
 * long, so that what was given back keeps its place; one that nobody excuses waits aside for an excuse that is on its way.
 */
export class Door {
  readonly #source: Source;
  readonly #excuses: Excuses;
  readonly #signal: AbortSignal;
  readonly #onError: (error: unknown) => void;
  /** How many messages have come. */
  #arrived = 0;
  /** How many had come when the excuses were last looked up. */
  #lookedUp = 0;
  #line: Promise<void> | undefined;

  /** @param signal ends all waiting: the subscription is closing. */
  constructor(source: Source, excuses: Excuses, signal: AbortSignal, onError: (error: unknown) => void) {
    this.#source = source;
    this.#excuses = excuses;
    this.#signal = signal;
    this.#onError = onError;
  }

  /** Calls `enter` with the message, at once where nothing is to be found out. */
  enter(received: Received, enter: Enter): void {
    if (this.#line === undefined && this.#unexcused(received) === 0) return enter(0);
    this.#arrived += 1;
    const number = this.#arrived;
    const line = (this.#line ?? Promise.resolve()).then(() => this.#lookUp(received, number, enter));
    this.#line = line;
    void line.then(() => {
      if (this.#line === line) this.#line = undefined;
    });
  }

  async #lookUp(received: Received, number: number, enter: Enter): Promise<void> {
    if (this.#unexcused(received) === 0) return enter(0);
    // One look serves everything that had come before it.
    if (this.#lookedUp < number && !this.#signal.aborted) {
      this.#lookedUp = this.#arrived;
      try {
        await this.#excuses.sync();
      } catch (error) {
        this.#onError(error);
      }
    }
    if (this.#unexcused(received) === 0) enter(0);
    else void this.#waitAside(received, enter);
  }

  async #waitAside(received: Received, enter: Enter): Promise<void> {
    let deaths = received.returns;
    try {
      deaths = await this.#excuses.deaths(this.#source.queue, received, this.#signal);
    } catch (error) {
      this.#onError(error);
    }
    enter(deaths);
  }

  #unexcused(received: Received): number {
    return this.#source.countsDeaths && received.returns > 0
      ? this.#excuses.unexcused(this.#source.queue, received)
      : 0;
  }
}
