import type { Clock } from "../../internal/clock.ts";
import { Deque } from "../../internal/deque.ts";
import type { Request } from "./requests.ts";

/** A request that may be in doubt when the connection is lost. */
export interface Confirmed extends Request {
  /** Called when that is over: it is not sent again. */
  beyondDoubt(): void;
}

/** For how long before a lost connection a confirmation is in doubt, in milliseconds. */
const DOUBTFUL_MS = 500;
/** How many bytes of what was confirmed are kept for that. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * What was confirmed a moment ago. A server that goes down in good order takes its consumers down before its connections,
 * and drops, as wanted by nobody, what is published in between: with a confirmation. It is sent again under the same id,
 * which a server that has it recognises.
 */
export class Recent {
  readonly #clock: Clock;
  readonly #requests = new Deque<{ readonly request: Confirmed; readonly bytes: number; readonly at: number }>();
  #bytes = 0;
  #frozen = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(request: Confirmed, bytes: number): void {
    const now = this.#clock.now();
    this.#requests.push({ request, bytes, at: now });
    this.#bytes += bytes;
    if (!this.#frozen) this.#trim(now);
  }

  /** The connection is lost: from now on nothing grows too old. */
  freeze(): void {
    if (this.#frozen) return;
    this.#trim(this.#clock.now());
    this.#frozen = true;
  }

  /** What is in doubt, in order. */
  take(): Request[] {
    this.#frozen = false;
    this.#bytes = 0;
    return this.#requests.drain().map(({ request }) => request);
  }

  #trim(now: number): void {
    for (let first = this.#requests.peek(); first !== undefined; first = this.#requests.peek()) {
      if (now - first.at <= DOUBTFUL_MS && this.#bytes <= MAX_BYTES) return;
      this.#requests.shift();
      this.#bytes -= first.bytes;
      first.request.beyondDoubt();
    }
  }
}
