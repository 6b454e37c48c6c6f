// The service that the README shows. What stands before it lets it run in a test: ids, which are new ones each time, are shown
// as <id>, and once the order is handled the process gets the SIGTERM that ends it.
const console = {
  log(order: number, id = "") {
    process.stdout.write(`${order} ${id.replace(/^[0-9a-f-]{36}$/, "<id>")}\n`);
    const end = () => process.kill(process.pid, "SIGTERM");
    if (process.listenerCount("SIGTERM") > 0) end();
    else process.on("newListener", (event) => event === "SIGTERM" && setImmediate(end));
  },
};

// #region service
import { createService, topic } from "tidings";
import { z } from "zod";

const OrderCreated = topic("orders.created", z.object({ id: z.number(), total: z.number() }));

const service = createService({ name: "billing" });
await service.init(); // command line and environment

service.subscribe(
  OrderCreated,
  async (order, context) => {
    console.log(order.id, context.header["Micro-ID"]); // order is typed and validated
  },
  { queue: "billing" },
);

const created = service.publisher(OrderCreated);
await service.start();
await created.publish({ id: 7, total: 9.5 });
await service.run(); // until SIGINT or SIGTERM, then drains
// #endregion
