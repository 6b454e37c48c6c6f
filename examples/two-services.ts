// Two services of one process on one broker.
import { createBroker, createService } from "tidings";

// #region share
const broker = createBroker("memory:");
const orders = createService({ name: "orders", broker });
const invoices = createService({ name: "invoices", broker });

invoices.subscribe("orders.created", (order: { id: number }) => console.log(`invoice for order ${order.id}`));

await Promise.all([orders.start(), invoices.start()]);
await orders.publisher("orders.created").publish({ id: 7 });
await orders.stop();
console.log(broker.status); // the other service still uses it
await invoices.stop();
console.log(broker.status);
// #endregion
