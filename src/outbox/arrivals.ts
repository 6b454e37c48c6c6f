import type { Journal } from "./journal.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { OutboxMessage } from "./message.ts";

/** What {@link Arrivals} need of their outbox. */
export interface ArrivalsParts {
  readonly journal: Journal;
  readonly lanes: Lanes;
  /** A message is written down: it goes into these lanes, or waits for its first subscriber where there are none. */
  route(message: OutboxMessage, lanes: readonly Lane[]): void;
  /** A message could not be written, and is not kept. */
  forget(message: OutboxMessage): void;
  /** One is on its way no longer, whatever became of it. */
  onArrival(): void;
}

/** Published messages on their way through the journal: nobody gets one before it is written down. */
export class Arrivals {
  readonly #parts: ArrivalsParts;
  #size = 0;
  #closed = false;

  constructor(parts: ArrivalsParts) {
    this.#parts = parts;
  }

  /** How many messages the journal has not handed back yet. */
  get size(): number {
    return this.#size;
  }

  /** Writes a message down for these lanes; answers its publisher, and puts it into them, when that is done. */
  take(message: OutboxMessage, lanes: readonly Lane[]): void {
    this.#size += 1;
    this.#parts.journal.store(message, lanes, (error) => {
      if (error === undefined) message.answer(lanes.some((lane) => lane.live) ? "stored" : "waiting");
      else message.fail(error);
      const then = () => this.#stored(message, lanes, error === undefined);
      // What nobody wants is settled at once: a queue that comes later gets nothing from before.
      return lanes.length > 0 ? then : void then();
    });
  }

  /** Puts nothing into lanes any more. */
  close(): void {
    this.#closed = true;
  }

  #stored(message: OutboxMessage, lanes: readonly Lane[], isKept: boolean): void {
    this.#size -= 1;
    if (!isKept) this.#parts.forget(message);
    else if (!this.#closed) this.#route(message, lanes);
    this.#parts.onArrival();
  }

  #route(message: OutboxMessage, lanes: readonly Lane[]): void {
    const { lanes: all, journal } = this.#parts;
    const staying = lanes.filter((lane) => all.has(lane));
    if (lanes.length > 0 && staying.length === lanes.length) return this.#parts.route(message, lanes);
    // Meanwhile a destination has gone, or the first subscriber has come.
    const wanting = staying.length > 0 ? staying : all.wanting(message.topic);
    if (wanting.length !== lanes.length) journal.store(message, wanting);
    this.#parts.route(message, wanting);
  }
}
