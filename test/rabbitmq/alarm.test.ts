import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import type { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";

const WAIT = { timeout: 20_000, interval: 20 };

describeWithEngine(
  "rabbitmq",
  "a RabbitMQ server that is short of memory",
  () => {
    let engine: RabbitmqEngine;
    let prefixes = 0;

    beforeAll(async () => {
      engine = await startRabbitmq();
    }, 60_000);

    afterEach(() => relief());

    afterAll(() => engine.stop());

    const alarm = () => engine.ctl("set_vm_memory_high_watermark", "0.000001");
    const relief = () => engine.ctl("set_vm_memory_high_watermark", "0.4");

    async function open(options: BrokerOptions = {}) {
      prefixes += 1;
      const errors: BrokerError[] = [];
      const broker = createBroker(rabbitmq({ url: engine.url, prefix: `alarm-${prefixes}` }), {
        logger: silentLogger,
        onError: (error) => errors.push(error),
        drainTimeoutMs: 2_000,
        ...options,
      });
      onTestFinished(() => broker.disconnect());
      await broker.connect();
      return { broker, errors };
    }

    test("takes acks all the same: who publishes and subscribes goes on handling what there is", async () => {
      const { broker } = await open();
      const seen: string[] = [];
      await broker.createQueue("a.b", "q");
      const bodies = Array.from({ length: 50 }, (_, number) => String(number));
      for (const body of bodies) await broker.publish("a.b", { body });
      await alarm();
      const waiting = broker.publish("c.d", { body: "it waits" });
      await vi.waitFor(() => expect(broker.status).toBe("reconnecting"), WAIT);
      const take = (delivery: { text(): string }) => void seen.push(delivery.text());
      const subscriber = await broker.subscribe("a.b", take, { queue: "q", prefetch: 5, concurrency: 1 });
      await vi.waitFor(() => expect(seen).toEqual(bodies), WAIT);
      await relief();
      expect(await waiting).toMatchObject({ state: "unrouted" });
      await subscriber.unsubscribe();
    }, 60_000);

    test("is reported, holds publishes back within the buffer's bounds, and then takes them in order", async () => {
      const { broker, errors } = await open({ bufferMessages: 3 });
      await broker.createQueue("a.b", "q");
      await alarm();
      const first = broker.publish("a.b", { body: "first" });
      await vi.waitFor(() => expect(broker.status).toBe("reconnecting"), WAIT);
      expect(errors).toMatchObject([{ code: "ERR_BACKLOG_FULL", message: expect.stringMatching(/low on memory/) }]);
      const held = ["second", "third", "fourth"].map((body) => broker.publish("a.b", { body }));
      await expect(broker.publish("a.b", { body: "too much" })).rejects.toMatchObject({ code: "ERR_BACKLOG_FULL" });
      await relief();
      for (const { state } of await Promise.all([first, ...held])) expect(state).toBe("stored");
      expect(broker.status).toBe("connected");
      const seen: string[] = [];
      await broker.subscribe("a.b", (delivery) => void seen.push(delivery.text()), { queue: "q", concurrency: 1 });
      await vi.waitFor(() => expect(seen).toEqual(["first", "second", "third", "fourth"]), WAIT);
    }, 60_000);

    test("does not hold up a disconnect, and tells what it did not take", async () => {
      const { broker } = await open();
      await broker.subscribe("a.b", () => {}, { queue: "q" });
      await alarm();
      const publishes = ["one", "two"].map((body) => broker.publish("a.b", { body }));
      const answers = Promise.allSettled(publishes);
      await vi.waitFor(() => expect(broker.status).toBe("reconnecting"), WAIT);
      const startedAt = Date.now();
      await broker.disconnect();
      expect(Date.now() - startedAt).toBeLessThan(6_000);
      for (const answer of await answers) expect(answer).toMatchObject({ reason: { code: "ERR_NOT_CONNECTED" } });
    }, 60_000);
  },
  { own: true },
);
