// What a handler passes on: the metadata of the message that it handles.
import { createService } from "tidings";

const service = createService({ name: "billing", broker: "memory:" });

// #region context
service.subscribe("orders.created", async (order: { id: number }, context) => {
  context.signal.throwIfAborted(); // aborted when the handler's time is up
  await context.publish("invoices.created", { order: order.id }, { header: { source: "billing" } });
});

service.subscribe("invoices.created", (invoice: { order: number }, { header }) => {
  console.log(`order ${invoice.order}, trace ${header["trace"]}, source ${header["source"]}, ${header["Micro-Topic"]}`);
});
// #endregion

await service.start();
await service.publisher("orders.created").publish({ id: 7 }, { header: { trace: "4bf9", source: "shop" } });
await service.broker.flush();
await service.stop();
