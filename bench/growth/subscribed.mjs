// The receiving side of a point.
import { CONCURRENCY } from "../contestants.mjs";

/** Subscriptions that are made at once. */
const AT_ONCE = 100;

/** Subscribes to everything that the work wants of one process. Resolves with what ends it all. */
export async function subscribeAll(broker, { subscriptions }, meter) {
  const made = [];
  const handle = ({ message }) => meter.received(message.body);
  for (let first = 0; first < subscriptions.length; first += AT_ONCE) {
    const some = subscriptions.slice(first, first + AT_ONCE);
    const subscribing = some.map(([pattern, options]) =>
      broker.subscribe(pattern, handle, { ...options, concurrency: CONCURRENCY }),
    );
    made.push(...(await Promise.all(subscribing)));
  }
  return () => Promise.all(made.map((subscription) => subscription.unsubscribe()));
}
