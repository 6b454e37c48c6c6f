import type {
  DeadLetterAdmin,
  DriverContext,
  DriverSubscription,
  GivenUp,
  QueueAdmin,
  SubscribeRequest,
} from "../../driver.ts";
import { outboxDeadLetters } from "../../outbox/dead-letters.ts";
import { outboxLimits } from "../../outbox/limits.ts";
import { Outbox } from "../../outbox/outbox.ts";
import { outboxQueues } from "../../outbox/queues.ts";
import { subscribeLocal } from "../../outbox/subscribe-local.ts";

/** What the brokers of one name share. */
export interface Hub {
  readonly name: string | undefined;
  readonly outbox: Outbox;
  readonly queues: QueueAdmin;
  readonly deadLetters: DeadLetterAdmin;
  /** The drivers that use it, and where each hears of messages that were given up. */
  readonly users: Map<object, (message: GivenUp) => void>;
  subscribe(request: SubscribeRequest, owner: object, onAbandoned: (count: number) => void): DriverSubscription;
  settled(signal: AbortSignal): Promise<void>;
}

/** The hubs of this process that have a name: module state is what makes `memory:` shared, and it ends with its users. */
const hubs = new Map<string, Hub>();

/** The hub of this name, made if it is new; without a name, a private one. The first user's limits and clock hold. */
export function openHub(name: string | undefined, user: object, context: DriverContext): Hub {
  const hub = (name === undefined ? undefined : hubs.get(name)) ?? createHub(name, context);
  hub.users.set(user, (message) => context.onGiveUp(message));
  if (name !== undefined) hubs.set(name, hub);
  return hub;
}

/** Leaves a hub; the last user closes it, and learns how many messages it still held. */
export function leaveHub(hub: Hub, user: object): number {
  hub.users.delete(user);
  // What waits for room there is answered now: nobody may be left to make any.
  hub.outbox.backlog.leave(user);
  if (hub.users.size > 0) return 0;
  if (hub.name !== undefined) hubs.delete(hub.name);
  hub.outbox.close();
  return hub.outbox.messages;
}

function createHub(name: string | undefined, context: DriverContext): Hub {
  const users: Hub["users"] = new Map();
  const outbox = new Outbox({
    clock: context.clock,
    ...outboxLimits(context.options),
    keepsUnwanted: false,
    // Whose message it was is not known here, so that the first user reports it, once.
    onGiveUp: (message) => [...users.values()][0]?.(message),
  });
  return {
    name,
    outbox,
    users,
    queues: outboxQueues(outbox),
    deadLetters: outboxDeadLetters(outbox),
    subscribe: (request, owner, onAbandoned) => subscribeLocal(outbox, request, owner, onAbandoned),
    settled: (signal) => outbox.when(() => outbox.flushed, signal),
  };
}
