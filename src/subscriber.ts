/** A subscription as its user sees it. Works with `await using`. */
export interface Subscriber extends AsyncDisposable {
  /** Unique in the world; a node of the registry may carry it. */
  readonly id: string;
  /** The topic or pattern. */
  readonly topic: string;
  readonly queue: string | undefined;
  /**
   * Drains: no handler starts any more, running ones may finish within `drainTimeoutMs`, what was not started goes back to
   * the broker. Idempotent: later calls wait for the first.
   */
  unsubscribe(): Promise<void>;
}
