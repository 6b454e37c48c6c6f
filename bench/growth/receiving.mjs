// The receiving side of a point, in the process that receives.
import { CONCURRENCY } from "../contestants.mjs";
import { Meter } from "../meter.mjs";
import { usage } from "../usage.mjs";

/** Subscriptions that are made at once. */
const AT_ONCE = 100;

/** Opens it: what the sending side asks of it. Who does not come late is there already. */
export async function openReceiving(broker, work) {
  const meter = new Meter();
  let subscriptions = [];
  const come = async () => {
    subscriptions = await subscribeAll(broker, work, meter);
  };
  if (work.waiting === 0) await come();
  return {
    begin: async (measures) => meter.begin(measures),
    handled: async () => meter.handled,
    usage: async () => usage(),
    come,
    async leave() {
      await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
    },
  };
}

/** Subscribes to everything that the work wants of one process. */
async function subscribeAll(broker, { subscriptions }, meter) {
  const made = [];
  const handle = ({ message }) => meter.received(message.body);
  for (let first = 0; first < subscriptions.length; first += AT_ONCE) {
    const some = subscriptions.slice(first, first + AT_ONCE);
    const subscribing = some.map(([pattern, options]) =>
      broker.subscribe(pattern, handle, { ...options, concurrency: CONCURRENCY }),
    );
    made.push(...(await Promise.all(subscribing)));
  }
  return made;
}
