/**
 * What a driver can promise, as data: a static manifest of the driver module, narrowed at connect by what the server
 * reports. The portable layer, the conformance kit and the capability matrix of the README read this one object.
 */
export interface Capabilities {
  /** `at-least-once`: every promise of `docs/delivery.md`. `at-most-once`: no retries, dead letters or durability. */
  readonly guarantee: "at-least-once" | "at-most-once";
  /** Whether queues and what they hold survive a restart of whoever keeps them. */
  readonly durable: boolean;
  /** Whether brokers of separate processes share messages. */
  readonly processes: boolean;
  /** Whether `mandatory` can tell that nobody wants a message. */
  readonly mandatory: boolean;
  /** Whether a queue keeps its messages while no member is alive, and can be created, listed and removed. */
  readonly standingQueues: boolean;
  /** Whether dead letters are kept until they are read, and can be listed, redriven and dropped. */
  readonly deadLetters: boolean;
  /**
   * How a message becomes a dead letter. `move`: the driver moves it in one step. `publish`: the portable layer publishes
   * the dead letter, waits for its confirmation and then acks the message.
   */
  readonly deadLetterMove: "move" | "publish";
  /** Whether first attempts of one publisher's messages on one topic come in order to a single member (D8). */
  readonly ordered: boolean;
  /** Whether messages of one key go to one member of a queue while the members stay the same. */
  readonly keyAffinity: boolean;
  /** The delays that a retry is rounded up to, in milliseconds, or `"any"`. */
  readonly retryDelaysMs: "any" | readonly number[];
  /** The largest message the broker carries, header and body, in bytes; `null` where only `maxMessageBytes` limits it. */
  readonly maxMessageBytes: number | null;
}
