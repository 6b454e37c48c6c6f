import { describe, expect, test } from "vitest";
import { deferred } from "../../../../src/internal/deferred.ts";
import { silentLogger } from "../../../../src/logger.ts";
import { circuitBreaker, dedupe, timeout, validate } from "../../../../src/service/middleware/index.ts";
import type { Middleware } from "../../../../src/service/middleware.ts";
import { Service } from "../../../../src/service/service.ts";

/** A service on a memory broker of its own, with this middleware. */
function serviceWith(...middleware: Middleware[]): Service {
  const broker = `memory:middleware-${Math.random()}`;
  return new Service({ name: "billing", broker, brokerOptions: { logger: silentLogger } }).use(...middleware);
}

describe("middleware in a service", () => {
  test("an invalid payload is a dead letter after one attempt, with the issues in its reason", async () => {
    const seen = deferred<Record<string, string>>();
    const inspect = (payload: unknown, { topic }: { topic: string }) =>
      topic === "orders.created" && payload !== "good" ? ["not good"] : [];
    await using service = serviceWith({ subscribe: validate(inspect).subscribe });
    service.subscribe("orders.created", () => expect.unreachable(), { queue: "billing" });
    service.subscribe("dlq.orders.created", (_payload, { header }) => seen.resolve(header));
    await service.start();
    await service.publisher("orders.created").publish("bad");
    expect(await seen.promise).toMatchObject({
      "Tidings-Dead-Attempts": "1",
      "Tidings-Dead-Reason": "The payload for orders.created is not valid: not good.",
    });
  });

  test("what a circuit refuses comes again, and is handled once the circuit lets it", async () => {
    const handled = deferred<number>();
    let calls = 0;
    await using service = serviceWith(circuitBreaker({ failures: 1, resetMs: 40, logger: silentLogger }));
    const handler = (_payload: unknown, { attempt }: { attempt: number }) => {
      calls += 1;
      if (calls === 1) throw new Error("down");
      handled.resolve(attempt);
    };
    service.subscribe("orders.created", handler, {
      queue: "billing",
      backoffMs: 15,
      maxBackoffMs: 15,
      maxAttempts: 100,
    });
    await service.start();
    await service.publisher("orders.created").publish("any");
    expect(await handled.promise).toBeGreaterThan(2);
    expect(calls).toBe(2);
  });

  test("a limit reaches the handler's signal, and a duplicate is acked", async () => {
    const settled: string[] = [];
    const watch: Middleware = async ({ id }, next) => {
      const result = await next().catch((error: Error) => {
        settled.push(`${id} failed`);
        throw error;
      });
      settled.push(`${id} ${String(result)}`);
      return result;
    };
    await using service = serviceWith(watch, timeout(20), dedupe());
    service.subscribe(
      "orders.created",
      (_payload, { signal, attempt }) => {
        if (attempt === 2) return "handled";
        return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      { queue: "billing", concurrency: 1, backoffMs: 1 },
    );
    await service.start();
    const created = service.publisher("orders.created");
    await created.publish("any", { id: "one" });
    await service.broker.flush();
    await created.publish("any", { id: "one" });
    await service.broker.flush();
    expect(settled).toEqual(["one failed", "one handled", "one undefined"]);
  });
});
