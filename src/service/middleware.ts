import type { Header } from "../message.ts";
import type { Receipt } from "../receipt.ts";

/** What a subscribing middleware, and at last the handler, knows of a message. One object a handler start. */
export interface SubscribeContext {
  /** The concrete topic. */
  readonly topic: string;
  /** The queue of the subscription, if it has one. */
  readonly queue: string | undefined;
  /** Tells the subscription from every other: the same for all members of a queue, and for nobody else. */
  readonly subscription: string;
  readonly header: Header;
  readonly body: Uint8Array;
  /** The message's id, the same for every delivery of it. */
  readonly id: string;
  readonly key: string | undefined;
  /** Which handler start of this message this is, from 1. */
  readonly attempt: number;
  /** Aborted when the handler's time is up. A middleware may replace it for what runs inside. */
  signal: AbortSignal;
  /** The payload: decoded by its content type and checked by the topic's schema, once, when first asked for. */
  payload(): Promise<unknown>;
}

/** What a publishing middleware knows of a message on its way out. It may change what is writable. */
export interface PublishContext {
  readonly topic: string;
  /** The payload, checked already, not encoded yet. */
  payload: unknown;
  /** The header; `Content-Type`, `Micro-Topic` and `Micro-ID` are set. */
  readonly header: Record<string, string>;
  readonly id: string;
  key: string | undefined;
  signal: AbortSignal | undefined;
  /** Whether the publish fails where nobody wants the message. */
  mandatory: boolean;
}

/** Goes on with the next middleware, or with the handler; returns what it returns and throws what it throws. */
export type Next<Result> = () => Promise<Result>;

/** Runs around every handler. Not calling `next` skips the handler; throwing nacks. */
export type SubscribeMiddleware = (context: SubscribeContext, next: Next<unknown>) => unknown;

/** Runs around every publish. Its result is what `publish` resolves with. */
export type PublishMiddleware = (context: PublishContext, next: Next<Receipt>) => Promise<Receipt>;

/** What `service.use` takes: a function runs around handlers; an object says for each side what runs. */
export type Middleware =
  | SubscribeMiddleware
  | { readonly subscribe?: SubscribeMiddleware; readonly publish?: PublishMiddleware };

/** Composes middleware, the first outermost, around `last`. Composed once, called for every message. */
export function compose<Context, Result>(
  middleware: readonly ((context: Context, next: Next<Result>) => Result | Promise<Result>)[],
  last: (context: Context) => Promise<Result>,
): (context: Context) => Promise<Result> {
  return middleware.reduceRight<(context: Context) => Promise<Result>>(
    (inner, outer) => async (context) => outer(context, () => inner(context)),
    last,
  );
}
