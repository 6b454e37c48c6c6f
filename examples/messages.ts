// Messages taken one by one, and values published with the broker's codec.
import { createBroker } from "tidings";

const broker = createBroker("memory:");
await broker.connect();
await broker.createQueue("orders.>", "audit");

// #region publisher
const orders = broker.publisher("orders.created");
await orders.publish({ id: 7, total: 9.5 }, { key: "customer-3" });
// #endregion
await broker.publisher("orders.closed").publish({ id: 7 });

// #region loop
for await (const delivery of broker.messages("orders.>", { queue: "audit" })) {
  console.log(delivery.topic, delivery.json());
  await delivery.ack();
  if (delivery.topic === "orders.closed") break;
}
// #endregion

await broker.disconnect();
