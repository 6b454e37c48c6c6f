// Everything at once, in the order that works; and a middleware of one's own.
import { createService, type SubscribeMiddleware } from "tidings";
import {
  circuitBreaker,
  dedupe,
  type LoggedMessage,
  logging,
  rateLimit,
  retry,
  timeout,
  validate,
} from "tidings/middleware";

const write = (details: object) => {
  const { side, topic, id, outcome } = details as LoggedMessage;
  if (side === "subscribe") console.log(`${topic} ${id}: ${outcome}`);
};
const logger = { debug: write, info: write, warn: write, error: write };
const service = createService({ name: "billing", broker: "memory:" });

// #region use
service.use(
  logging({ logger }),
  validate((order) => typeof (order as { id?: unknown }).id === "number" || ["id is not a number"]),
  rateLimit({ perSecond: 500 }),
  timeout(5_000),
  dedupe(),
  circuitBreaker({ failures: 5, resetMs: 10_000 }),
  retry({ attempts: 3, backoffMs: 100 }),
);
// #endregion

// #region own
const tenant: SubscribeMiddleware = async (context, next) => {
  if (context.header["x-tenant"] === "closed") return undefined; // acked, and not handled
  return next();
};
const breaker = circuitBreaker();
service.use(tenant, (context, next) =>
  context.topic === "orders.created" ? breaker.subscribe(context, next) : next(),
);
service.use({ publish: rateLimit({ perSecond: 50 }).publish }); // one side only
// #endregion

service.subscribe("orders.created", (order: { id: number }) => console.log(`order ${order.id}`), {
  queue: "billing",
  concurrency: 1,
});
await service.start();
const created = service.publisher("orders.created");
await created.publish({ id: 7 }, { id: "order-7" });
await created.publish({ id: 8 }, { id: "order-8", header: { "x-tenant": "closed" } });
await service.stop();
