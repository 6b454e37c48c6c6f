/**
 * What processes write down in their journals, one record a line, in JSON. Times are milliseconds on the host's monotonic
 * clock, which is the same in every process.
 */
export type JournalRecord =
  | Started
  | Ready
  | Sending
  | Acknowledged
  | Rejected
  | Failed
  | Received
  | { readonly event: "stopped" | "ended" };

/** A process has begun: its first one, or another after a kill. */
interface Started {
  readonly event: "started";
  readonly pid: number;
}

/** It is connected, and its subscriptions hold. */
interface Ready {
  readonly event: "ready";
  readonly atMs: number;
  /** What its broker promises. */
  readonly guarantee: "at-least-once" | "at-most-once";
  readonly durable: boolean;
}

/** A publisher is about to publish. Written before it does. */
interface Sending {
  readonly event: "sending";
  readonly number: number;
  /** The queue that is to get it; its topic is the queue's. */
  readonly queue: number;
  readonly atMs: number;
}

/** The publish has resolved. Written before anybody counts it. */
interface Acknowledged {
  readonly event: "acknowledged";
  readonly number: number;
  /** As the receipt says. */
  readonly state: string;
}

/** The publish was rejected. One that may be tried again is, under the same id. */
interface Rejected {
  readonly event: "rejected";
  readonly number: number;
  readonly code: string;
}

/** Connecting or subscribing failed with what may be tried again, and is. */
interface Failed {
  readonly event: "failed";
  readonly code: string;
}

/** A handler was started. Written before it acks. */
interface Received {
  readonly event: "received";
  /** The number of the queue whose subscription it came to, or `null` without a queue. */
  readonly queue: number | null;
  /** The queue whose topic the delivery names, or `null` where that is none of this run's. */
  readonly topic: number | null;
  readonly id: string;
  /** The body: `publisher#number`. */
  readonly text: string;
  readonly attempt: number;
  readonly atMs: number;
}

/** Now, on the clock that all processes of the host share, in milliseconds. */
export function hostNowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
