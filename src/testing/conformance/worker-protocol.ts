import type { BrokerOptions, SubscribeOptions } from "../../broker-options.ts";

/**
 * What a worker process does.
 * - `subscribe`: subscribes, and handles as `behaviour` says until SIGTERM; then disconnects and exits by itself.
 * - `publish`: publishes numbered messages, flushes, disconnects and exits by itself.
 * - `visit`: subscribes, sends itself a message, unsubscribes, disconnects and exits by itself.
 */
export type WorkerRole = "subscribe" | "publish" | "visit";

/** The particulars of a role; they travel as JSON. */
export interface WorkerArguments {
  /** The topic or pattern. */
  readonly topic: string;
  readonly broker?: Pick<BrokerOptions, "drainTimeoutMs" | "acceptTimeoutMs">;
  readonly subscribe?: Omit<SubscribeOptions, "signal">;
  /** `ack` (default): returns after `handlerMs`. `hold`: never returns. `die`: kills its own process. */
  readonly behaviour?: "ack" | "hold" | "die";
  /** How long a handler takes, in milliseconds. Default 0. */
  readonly handlerMs?: number;
  /** Where the handler publishes a copy of each message before it returns. */
  readonly replyTopic?: string;
  /** The name of a publisher. */
  readonly publisher?: string;
  /** How many messages a publisher sends. */
  readonly count?: number;
}

/** What a worker tells the process that started it. */
export type WorkerReport =
  | { readonly type: "ready" }
  | {
      readonly type: "started";
      readonly text: string;
      readonly id: string;
      readonly attempt: number;
      readonly rssBytes: number;
    }
  | { readonly type: "finished"; readonly text: string }
  | { readonly type: "published"; readonly count: number }
  | { readonly type: "closed" }
  | { readonly type: "failed"; readonly message: string };

/** A report of one type. */
export type WorkerReportOf<Type extends WorkerReport["type"]> = Extract<WorkerReport, { readonly type: Type }>;
