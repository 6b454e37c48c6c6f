// Topics with schemas: what publishers must give, what handlers get, and what becomes of the rest.
import { BrokerError, createService, silentLogger, topic } from "tidings";
import { z } from "zod";

const service = createService({ name: "mail", broker: "memory:", brokerOptions: { logger: silentLogger } });

// #region transform
const OrderShipped = topic(
  "orders.shipped",
  z.object({ id: z.number(), at: z.iso.datetime().transform((text) => new Date(text)) }),
);

service.subscribe(OrderShipped, (order) => {
  console.log(`order ${order.id} was shipped in ${order.at.getUTCFullYear()}`); // at is a Date
});
const shipped = service.publisher(OrderShipped);
await service.start();
await shipped.publish({ id: 7, at: "2026-03-01T12:00:00Z" }); // at is a string: that is what is sent
// #endregion
await service.broker.flush();

const order = JSON.parse('{"id":"seven","at":"today"}'); // unchecked, and not what the type says
// #region refused
try {
  await shipped.publish(order);
} catch (error) {
  if (!(error instanceof BrokerError && error.code === "ERR_INVALID_PAYLOAD")) throw error;
  console.log(error.message);
}
// #endregion

// #region dead
await service.broker.publish("orders.shipped", { body: '{"id":"seven"}' }); // by somebody who knows no schema
for await (const letter of service.broker.messages("dlq.orders.shipped")) {
  const { "Tidings-Dead-Reason": reason, "Tidings-Dead-Attempts": attempts } = letter.message.header;
  console.log(`attempts: ${attempts}, ${reason}`);
  await letter.ack();
  break;
}
// #endregion

await service.stop();
