import { createBroker } from "tidings";

const broker = createBroker("http://127.0.0.1:0"); // or "memory:"
await broker.connect();

const subscriber = await broker.subscribe(
  "orders.created",
  async (delivery) => {
    console.log(delivery.topic, delivery.attempt, delivery.message.header["x-id"], delivery.text());
  },
  { queue: "billing" },
);

const receipt = await broker.publish("orders.created", { header: { "x-id": "7" }, body: "hello" });
console.log(receipt.state);

await subscriber.unsubscribe();
await broker.disconnect();
