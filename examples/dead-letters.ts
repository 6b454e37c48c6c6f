// A message that fails, its dead letter, and the way back.
import { createBroker, NonRetryableError, silentLogger } from "tidings";

const broker = createBroker("memory:", { onError: (error) => console.log(error.code), logger: silentLogger });
await broker.connect();
let price: number | undefined;

await broker.subscribe(
  "orders.created",
  (delivery) => {
    if (price === undefined) throw new NonRetryableError("no price yet");
    console.log(`order ${delivery.text()}: ${price}`);
  },
  { queue: "billing" },
);

await broker.createQueue("dlq.>", "watch");
await broker.publish("orders.created", { body: "7" });
for await (const copy of broker.messages("dlq.>", { queue: "watch" })) {
  console.log(`${copy.topic}: ${copy.message.header["Tidings-Dead-Reason"]}`);
  await copy.ack();
  break;
}

// #region redrive
for (const letter of await broker.deadLetters.list("dlq.orders.created")) {
  console.log(`${letter.topic} failed in ${letter.queue}, attempts: ${letter.attempts}: ${letter.reason}`);
}
price = 9.5;
const sent = await broker.deadLetters.redrive("dlq.orders.created");
console.log(`${sent} sent back`);
// #endregion

await broker.disconnect();
