/** What the tests of middleware share: contexts as a service makes them, and the turn of the event loop. */
import type { PublishContext, SubscribeContext } from "../../../../src/service/middleware.ts";

/** A context of a message on `orders.created`, in queue `billing`. */
export function subscribeContext(changes: Partial<SubscribeContext> = {}): SubscribeContext {
  return {
    topic: "orders.created",
    queue: "billing",
    subscription: "billing on orders.created",
    header: {},
    body: new Uint8Array(),
    id: "id-1",
    key: undefined,
    attempt: 1,
    signal: new AbortController().signal,
    payload: async () => ({ id: 7 }),
    ...changes,
  };
}

/** A context of a message on its way to `orders.created`. */
export function publishContext(changes: Partial<PublishContext> = {}): PublishContext {
  return {
    topic: "orders.created",
    payload: { id: 7 },
    header: {},
    id: "id-1",
    key: undefined,
    signal: undefined,
    mandatory: false,
    ...changes,
  };
}

/** Resolves when everything that is ready to run has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What a promise rejects with. */
export function failureOf(promise: unknown): Promise<unknown> {
  return Promise.resolve(promise).then(
    (value) => Promise.reject(new Error(`resolved with ${String(value)}`)),
    (error: unknown) => error,
  );
}

/** Follows a promise without awaiting it. */
export function track(promise: unknown): {
  readonly state: "pending" | "resolved" | "rejected";
  readonly value: unknown;
} {
  const followed: { state: "pending" | "resolved" | "rejected"; value: unknown } = {
    state: "pending",
    value: undefined,
  };
  Promise.resolve(promise).then(
    (value) => Object.assign(followed, { state: "resolved", value }),
    (value: unknown) => Object.assign(followed, { state: "rejected", value }),
  );
  return followed;
}
