// logging, rateLimit, circuitBreaker and validate: they work on handlers and on publishers.
import { BrokerError, createService, silentLogger } from "tidings";
import { circuitBreaker, logging, rateLimit, validate } from "tidings/middleware";

const options = { broker: "memory:", brokerOptions: { logger: silentLogger } };

{
  const service = createService({ name: "logged", ...options });
  // #region logging
  const logger = {
    ...silentLogger,
    info: (_details: object, line: string) => console.log(line.replace(/ in \d+ ms/, "")),
  };
  service.use(logging({ logger }));
  // #endregion
  service.subscribe("orders.created", () => {}, { queue: "billing" });
  await service.start();
  await service.publisher("orders.created").publish({ id: 7 }, { id: "order-7" });
  await service.stop();
}

{
  const service = createService({ name: "slow", ...options });
  // #region rate-limit
  service.use(rateLimit({ perSecond: 100, burst: 1 }));
  // #endregion
  await service.start();
  const startedAt = Date.now();
  const created = service.publisher("orders.created");
  for (let id = 1; id <= 6; id += 1) await created.publish({ id });
  console.log(Date.now() - startedAt >= 48 ? "five waited" : "too fast");
  await service.stop();
}

{
  const service = createService({ name: "guarded", ...options });
  // #region circuit-breaker
  const breaker = circuitBreaker({
    failures: 2,
    resetMs: 60_000,
    logger: silentLogger,
    onChange: ({ side, from, to, error }) => console.log(`${side}: ${from} -> ${to} (${error})`),
  });
  service.use({ publish: breaker.publish });
  // #endregion
  await service.start();
  const created = service.publisher("orders.created");
  for (let id = 1; id <= 3; id += 1) {
    await created.publish({ id }, { mandatory: true }).catch((error: BrokerError) => console.log(id, error.code));
  }
  console.log(breaker.state.publish);
  await service.stop();
}

{
  const service = createService({ name: "strict", ...options });
  // #region validate
  service.use(
    validate((payload, { topic }) => {
      const { id, total } = payload as { id?: unknown; total?: unknown };
      if (topic !== "orders.created") return [];
      return [...(id === undefined ? ["no id"] : []), ...(typeof total === "number" ? [] : ["total is not a number"])];
    }),
  );
  // #endregion
  await service.start();
  try {
    await service.publisher("orders.created").publish({ total: "9.5" });
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    console.log(error.code, error.message);
  }
  await service.stop();
}
