// timeout, retry and dedupe: what surrounds a handler.
import { setTimeout as delay } from "node:timers/promises";
import { type Context, createService, silentLogger } from "tidings";
import { dedupe, memoryDedupeStore, retry, timeout } from "tidings/middleware";

const options = { broker: "memory:", brokerOptions: { logger: silentLogger } };

{
  const service = createService({ name: "slow", ...options });
  // #region timeout
  service.use(timeout(50));
  const report = async (days: number, { signal }: Context) => {
    await delay(days * 1_000, undefined, { signal }); // stops working when the signal is aborted
  };
  // #endregion
  service.subscribe("reports.wanted", report, { queue: "reports", maxAttempts: 1 });
  const reason = new Promise((resolve) => {
    service.subscribe("dlq.reports.wanted", (_days, { header }) => resolve(header["Tidings-Dead-Reason"]));
  });
  await service.start();
  await service.publisher("reports.wanted").publish(30, { id: "report-30" });
  console.log(await reason);
  await service.stop();
}

{
  const service = createService({ name: "flaky", ...options });
  let calls = 0;
  const charge = async () => {
    calls += 1;
    if (calls < 3) throw Object.assign(new Error("the bank is busy"), { code: "EBUSY" });
  };
  // #region retry
  const busy = (error: unknown) => (error as { code?: string }).code === "EBUSY";
  service.use(retry({ attempts: 5, backoffMs: 10, when: busy }));
  service.subscribe("orders.created", async (_order, context) => {
    await charge();
    console.log(`charged after ${calls} calls, attempt ${context.attempt}`);
  });
  // #endregion
  await service.start();
  await service.publisher("orders.created").publish({ id: 7 });
  await service.stop();
}

{
  // #region dedupe
  const store = memoryDedupeStore({ maxEntries: 10_000 }); // or one that several processes share
  const service = createService({ name: "billing", ...options }).use(dedupe({ store, ttlMs: 60_000 }));
  service.subscribe("orders.created", (order: { id: number }) => console.log(`billed order ${order.id}`), {
    queue: "billing",
    concurrency: 1,
  });
  await service.start();
  const created = service.publisher<{ id: number }>("orders.created");
  await created.publish({ id: 7 }, { id: "order-7" });
  await created.publish({ id: 7 }, { id: "order-7" }); // the same message once more
  // #endregion
  await service.stop();
  console.log(`remembered: ${store.size}`);
}
