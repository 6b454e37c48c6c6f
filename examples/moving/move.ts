// A move: the queues are made ahead, and a bridge carries over what is left.
import { createBroker, silentLogger } from "tidings";
import { bridge, copyQueues } from "./bridge.ts";

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
