import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import type { Driver } from "../../src/driver.ts";
import { http } from "../../src/drivers/http/index.ts";
import { memory } from "../../src/drivers/memory/index.ts";
import type { Logger } from "../../src/logger.ts";
import { memory as memoryRegistry } from "../../src/registries/memory.ts";
import { createService } from "../../src/service/create-service.ts";
import { circuitBreaker } from "../../src/service/middleware/circuit-breaker.ts";
import { logging } from "../../src/service/middleware/logging.ts";
import { until } from "../../src/testing/conformance/until.ts";

// What reaches the process is seen by the test runner too, which fails the run for it.

const drivers: readonly [string, () => Driver][] = [
  ["memory", () => memory()],
  ["http", () => http({ registry: memoryRegistry() })],
];

/** What a logger or a hook may do wrong. */
const failures: readonly [string, () => void][] = [
  [
    "throw",
    () => {
      throw new Error("the hook is broken");
    },
  ],
  ["reject", () => Promise.reject(new Error("the hook is broken")) as unknown as undefined],
];

const told: string[] = [];

function loggerThat(fails: () => void): Logger {
  return { debug: fails, info: fails, warn: fails, error: fails };
}

function listen(): void {
  told.length = 0;
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    told.push(String(text));
    return true;
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

const cases = drivers.flatMap(([driver, open]) =>
  failures.map(([how, fails]) => ({ driver, open, how, fails: () => fails() })),
);

test.each(cases)("over $driver a logger and onError that $how cost no message", async ({ open, fails }) => {
  listen();
  const broker = createBroker(open(), { logger: loggerThat(fails), onError: fails });
  onTestFinished(() => broker.disconnect());
  await broker.connect();
  const handled: string[] = [];
  await broker.subscribe(
    "t.x",
    (delivery) => {
      handled.push(`${delivery.text()}${delivery.attempt}`);
      throw new Error("not this one");
    },
    { maxAttempts: 2, backoffMs: 1, deadLetter: false },
  );
  await broker.publish("t.x", { body: "a" });
  await broker.publish("t.x", { body: "b" });
  await broker.flush({ signal: AbortSignal.timeout(5_000) });
  expect(handled.sort()).toEqual(["a1", "a2", "b1", "b2"]);
  await until(() => told.filter((line) => line.includes("was given up")).length === 2, {
    what: "standard error had it",
  });
  expect(told.filter((line) => line.includes("The onError hook failed")).length).toBe(4);
});

test.each(failures)("a service's onError that may %s fails nobody but itself", async (_how, fails) => {
  listen();
  const broker = createBroker(memory(), { logger: loggerThat(fails) });
  const service = createService({ name: "s", broker, registry: memoryRegistry(), onError: fails });
  const handler = () => {
    throw new Error("not this one");
  };
  service.subscribe("t.x", handler, { deadLetter: false, maxAttempts: 1 });
  await service.start();
  await broker.publish("t.x", { body: "a" });
  await service.stop();
});

test.each(failures)("what middleware tells may %s, and costs no message", async (_how, fails) => {
  listen();
  const broker = createBroker(memory());
  const breaker = circuitBreaker({ failures: 1, resetMs: 60_000, onChange: fails, logger: loggerThat(fails) });
  const logged = logging({ logger: loggerThat(fails) });
  const service = createService({
    name: "s",
    broker,
    registry: memoryRegistry(),
    onError: () => {},
  });
  service.use(logged, breaker);
  const handled: unknown[] = [];
  service.subscribe(
    "t.x",
    (payload) => {
      handled.push(payload);
      throw new Error("not this one");
    },
    { deadLetter: false, maxAttempts: 1 },
  );
  await service.start();
  await service.publisher("t.x").publish("a");
  await until(() => breaker.state.subscribe === "open", { what: "the circuit is open" });
  await until(() => told.some((line) => line.includes("The onChange hook of circuitBreaker failed")), {
    what: "standard error had it of the hook",
    detail: () => told.join(""),
  });
  await until(() => told.filter((line) => /The logger (of the logging middleware )?failed/.test(line)).length >= 3, {
    what: "standard error had it of the loggers",
    detail: () => told.join(""),
  });
  await service.stop();
  expect(handled).toEqual(["a"]);
});

test("a handler may throw what answers no question", async () => {
  const nobody = (): never => {
    throw new Error("no");
  };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const things = [proxy, new Proxy({}, { get: nobody, has: nobody, getPrototypeOf: nobody })];
  const errors: string[] = [];
  const broker = createBroker(memory(), { onError: (error) => errors.push(error.code) });
  onTestFinished(() => broker.disconnect());
  await broker.connect();
  await broker.subscribe(
    "t.x",
    () => {
      throw things.pop();
    },
    { maxAttempts: 1 },
  );
  await broker.publish("t.x", { body: "a" });
  await broker.publish("t.x", { body: "b" });
  await until(async () => (await broker.deadLetters.list("dlq.t.x")).length === 2, { what: "both are dead letters" });
  expect(errors).toEqual(["ERR_HANDLER_FAILED", "ERR_HANDLER_FAILED"]);
  await broker.deadLetters.drop("dlq.t.x");
});
