/** Somebody with something to send. */
export interface Sender {
  /** Sends what was written. */
  send(): void;
}

/**
 * What was written in this turn of the event loop and is not sent yet, on any connection: it goes out together when the turn
 * ends, or where `together` says that nothing follows.
 */
export class Turn {
  readonly #senders: Sender[] = [];
  #ends = false;
  #together = false;

  /** Adds one that has begun to write. */
  add(sender: Sender): void {
    this.#senders.push(sender);
    if (this.#ends || this.#together) return;
    this.#ends = true;
    process.nextTick(this.#end);
  }

  /** Sends what `write` writes as soon as it returns: to wait for the end of the turn would only make it late. */
  together(write: () => void): void {
    this.#together = true;
    try {
      write();
    } finally {
      this.#together = false;
      this.#send();
    }
  }

  #send(): void {
    for (let sender = this.#senders.pop(); sender !== undefined; sender = this.#senders.pop()) sender.send();
  }

  readonly #end = (): void => {
    this.#ends = false;
    this.#send();
  };
}
