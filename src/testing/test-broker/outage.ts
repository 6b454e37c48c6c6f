import type { BrokerError } from "../../errors.ts";

/** A lost connection: what it keeps back happens once it is restored, in order. */
export class Outage {
  /** Why there is no connection; `undefined` while there is one. */
  error: BrokerError | undefined;
  #afterwards: (() => void)[] = [];

  /** Runs `action` now, or once the connection is restored. */
  whenUp(action: () => void): void {
    if (this.error === undefined) action();
    else this.#afterwards.push(action);
  }

  /** Restores the connection. */
  end(): void {
    this.error = undefined;
    for (const action of this.#afterwards.splice(0)) action();
  }
}
