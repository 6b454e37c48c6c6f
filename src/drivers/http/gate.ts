/** A place asked for in a {@link Gate}. */
export interface Ticket {
  /** Stops waiting. Has no effect once the place was given. */
  cancel(): void;
}

/** The places of one subscription, its prefetch: whoever delivers to it, from this process or another, waits in one line. */
export class Gate {
  readonly #places: number;
  /** Who waits, in order. Whoever stops waiting leaves it at once: they may be many while no place becomes free. */
  readonly #line = new Set<{ readonly enter: () => void; readonly refuse: () => void }>();
  #taken = 0;
  #closed = false;

  constructor(places: number) {
    this.#places = places;
  }

  /** Calls `enter` when there is a place, which is taken then; calls `refuse` if the gate closes before. Either may come at once. */
  ask(enter: () => void, refuse: () => void): Ticket {
    const place = { enter, refuse };
    if (this.#closed) refuse();
    else {
      this.#line.add(place);
      this.#admit();
    }
    return { cancel: () => void this.#line.delete(place) };
  }

  /** Gives a place back. */
  leave(): void {
    this.#taken -= 1;
    this.#admit();
  }

  /** Refuses everybody who waits or asks from now on. */
  close(): void {
    this.#closed = true;
    const line = [...this.#line];
    this.#line.clear();
    for (const { refuse } of line) refuse();
  }

  #admit(): void {
    for (const place of this.#line) {
      if (this.#closed || this.#taken >= this.#places) return;
      this.#line.delete(place);
      this.#taken += 1;
      place.enter();
    }
  }
}
