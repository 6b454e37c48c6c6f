import { Deque } from "../../internal/deque.ts";

/** A place asked for in a {@link Gate}. */
export interface Ticket {
  /** Stops waiting. Has no effect once the place was given. */
  cancel(): void;
}

/** The places of one subscription, its prefetch: whoever delivers to it, from this process or another, waits in one line. */
export class Gate {
  readonly #places: number;
  readonly #line = new Deque<{ waiting: boolean; readonly enter: () => void; readonly refuse: () => void }>();
  #taken = 0;
  #closed = false;

  constructor(places: number) {
    this.#places = places;
  }

  /** Calls `enter` when there is a place, which is taken then; calls `refuse` if the gate closes before. Either may come at once. */
  ask(enter: () => void, refuse: () => void): Ticket {
    const place = { waiting: true, enter, refuse };
    if (this.#closed) refuse();
    else {
      this.#line.push(place);
      this.#admit();
    }
    return {
      cancel: () => {
        place.waiting = false;
      },
    };
  }

  /** Gives a place back. */
  leave(): void {
    this.#taken -= 1;
    this.#admit();
  }

  /** Refuses everybody who waits or asks from now on. */
  close(): void {
    this.#closed = true;
    for (const place of this.#line.drain()) if (place.waiting) place.refuse();
  }

  #admit(): void {
    while (!this.#closed && this.#taken < this.#places) {
      const place = this.#line.shift();
      if (place === undefined) return;
      if (!place.waiting) continue;
      place.waiting = false;
      this.#taken += 1;
      place.enter();
    }
  }
}
