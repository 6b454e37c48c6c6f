/** Something that handlers wait at until a check lets them through. */
export class Gate {
  #open = false;
  readonly #waiting = new Set<() => void>();

  /** Resolves once the gate is open. */
  pass(): Promise<void> {
    if (this.#open) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
    });
  }

  /** Lets everybody through, from now on. */
  open(): void {
    this.#open = true;
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }
}
