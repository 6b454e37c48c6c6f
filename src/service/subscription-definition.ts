import type { SubscribeOptions } from "../broker-options.ts";
import type { Codec } from "../codec.ts";
import { BrokerError } from "../errors.ts";
import { type Deferred, deferred } from "../internal/deferred.ts";
import type { Subscriber } from "../subscriber.ts";
import type { NamedHandler } from "./handlers.ts";
import type { Topic } from "./topic.ts";

/** An object whose methods handle messages: not a function, which is a handler itself. */
export type HandlerObject<Target extends object> = Target extends (...parameters: never) => unknown ? never : Target;

/** A subscription of a service. */
export interface ServiceSubscription {
  readonly topic: string;
  readonly queue: string | undefined;
  /** Resolves when it is subscribed: for one made before the start, when the service has started. Rejects where that fails. */
  ready(): Promise<void>;
  /** Drains and ends it. Idempotent. */
  unsubscribe(): Promise<void>;
}

/** Where a service is in its life. */
export type ServiceStatus = "idle" | "starting" | "started" | "stopping" | "stopped";

/** A subscription as the service keeps it, from one start to the next. */
export interface Definition {
  readonly topic: Topic;
  readonly handlers: readonly NamedHandler[];
  /** Its own codecs, before the service's. */
  readonly codecs: readonly Codec[];
  readonly options: SubscribeOptions;
  /** What `ready` tells: of the start that is under way or comes next, else of the last one. */
  subscribed: Deferred<void>;
  /** Whether `subscribed` has told of a start already. */
  told: boolean;
  subscriber: Subscriber | undefined;
  ending: Promise<void> | undefined;
}

/** A `ready` that nobody has told yet. */
export function untold(): Deferred<void> {
  const subscribed = deferred<void>();
  subscribed.promise.catch(() => {
    // Told by `start`, or by the error hook; whoever waits for `ready` hears it there too.
  });
  return subscribed;
}

/** Tells whoever waits for `ready` that the definition is subscribed, or why it is not. What was told first holds. */
export function tell(definition: Definition, error?: unknown): void {
  definition.told = true;
  if (error === undefined) definition.subscribed.resolve();
  else definition.subscribed.reject(error);
}

/** What `ready` tells where the subscription ended before it was made. */
export function notSubscribed({ topic: on }: Definition): BrokerError {
  return new BrokerError("ERR_NOT_CONNECTED", `The subscription to ${on.name} ended before it was made.`, {
    topic: on.name,
  });
}
