import type { Message } from "./message.ts";

/**
 * One message on its way through one handler. Settled once: by the return of the handler with `autoAck`, else by `ack`,
 * `nack` or `reject`. Settling again changes nothing.
 */
export interface Delivery {
  /** The concrete topic, also for a subscription to a pattern. */
  readonly topic: string;
  /** The message's id, the same for every delivery of it. */
  readonly id: string;
  /** The message's key, if it was published with one. */
  readonly key: string | undefined;
  /** Which handler start of this message this is, from 1. */
  readonly attempt: number;
  /** Header and body, exactly as published. The body is this delivery's own. */
  readonly message: Message;
  /** Aborted when the handler's time is up, or the subscription's drain deadline has passed. Made when first read. */
  readonly signal: AbortSignal;
  /**
   * The body as UTF-8 text; as the handler has it, where it has changed its bytes.
   * @throws BrokerError `ERR_UNDECODABLE`, which is never retried: thrown out of the handler it makes a dead letter.
   */
  text(): string;
  /**
   * The body as JSON.
   * @throws BrokerError `ERR_UNDECODABLE`, as `text` does.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse; typed topics check what they return
  json(): any;
  /**
   * Done. Resolves when the broker knows it.
   * @throws BrokerError `ERR_STALE_DELIVERY` after the time limit; otherwise the driver's error: the message comes again.
   */
  ack(): Promise<void>;
  /** Failed: again after `delayMs` (default: the subscription's backoff), or a dead letter after the last attempt. Errors as `ack`. */
  nack(options?: { delayMs?: number }): Promise<void>;
  /** Failed for good: a dead letter at once. Errors as `ack`. */
  reject(reason?: string): Promise<void>;
  /**
   * Gives the handler `ms` milliseconds from now.
   * @throws BrokerError `ERR_STALE_DELIVERY` when it is too late.
   */
  extend(ms: number): void;
}

/** Handles a delivery. With `autoAck`, its return acks and its error nacks. */
export type Handler = (delivery: Delivery) => unknown;
