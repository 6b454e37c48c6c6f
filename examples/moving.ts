// Moving a running system from one broker to another: the queues are made ahead, and a bridge carries over what is left.
import { type Broker, createBroker, type Subscriber, silentLogger } from "tidings";

// #region bridge
/** Forwards what a queue of one broker holds, and gets, to another broker. Nothing leaves the old one before the new one has it. */
export function bridge(from: Broker, to: Broker, topic: string, queue: string): Promise<Subscriber> {
  return from.subscribe(
    topic,
    async ({ topic: concrete, id, key, message }) => {
      const { state } = await to.publish(concrete, message, { id, ...(key === undefined ? {} : { key }) });
      if (state === "unrouted") throw new Error(`nobody at the new broker wants ${concrete}: create its queues first`);
    },
    { queue, concurrency: 1, maxAttempts: Number.MAX_SAFE_INTEGER },
  );
}
// #endregion

// #region queues
/** Makes every queue of one broker on another, so that whatever is published there from now on is kept. */
export async function copyQueues(from: Broker, to: Broker): Promise<void> {
  for (const { topic, queue } of await from.queues.list()) await to.createQueue(topic, queue);
}
// #endregion

const [oldBroker, newBroker] = [createBroker("memory:old"), createBroker("memory:new", { logger: silentLogger })];
await Promise.all([oldBroker.connect(), newBroker.connect()]);
await oldBroker.createQueue("orders.created", "billing");
for (const body of ["1", "2", "3"])
  await oldBroker.publish("orders.created", { header: { "x-id": body }, body }, { id: `order-${body}` });

await copyQueues(oldBroker, newBroker);
const carrier = await bridge(oldBroker, newBroker, "orders.created", "billing");
await oldBroker.flush();
await carrier.unsubscribe();
await newBroker.publish("orders.created", { header: { "x-id": "4" }, body: "4" }, { id: "order-4" });

let left = 4;
for await (const delivery of newBroker.messages("orders.created", { queue: "billing" })) {
  console.log(delivery.id, delivery.message.header["x-id"], delivery.text());
  await delivery.ack();
  left -= 1;
  if (left === 0) break;
}
const [old] = await oldBroker.queues.list();
console.log(`${old?.queue} of the old broker holds ${old?.messages}`);
await Promise.all([oldBroker.disconnect(), newBroker.disconnect()]);
