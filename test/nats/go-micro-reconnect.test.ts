import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import { natsCore } from "../../src/drivers/nats/index.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, startNats } from "../support/engines/nats.ts";
import { faultProxy } from "../support/fault-proxy.ts";

const TIMEOUT = { timeout: 120_000 };

/** How long anything here may take, in milliseconds. */
const WAIT = { deadlineMs: 30_000 };

describeWithEngine(
  "nats",
  'a lost connection to core NATS with wire "go-micro"',
  () => {
    let engine: NatsEngine;
    let topics = 0;

    beforeAll(async () => {
      engine = await startNats({ jetstream: false });
    }, 60_000);
    afterAll(() => engine.stop());

    /** A broker behind a proxy, with a member of a queue and a broadcast subscription on a topic of this test's own. */
    const setUp = async (options: BrokerOptions = {}) => {
      topics += 1;
      const topic = `reconnect.t${topics}`;
      const proxy = await faultProxy(engine);
      onTestFinished(() => proxy.close());
      const broker = createBroker(natsCore({ servers: `127.0.0.1:${proxy.port}` }), {
        wire: "go-micro",
        logger: silentLogger,
        reconnect: { minDelayMs: 10, maxDelayMs: 100 },
        onError: () => {},
        ...options,
      });
      onTestFinished(() => broker.disconnect());
      await broker.connect();
      const got = { queue: [] as string[], broadcast: [] as string[] };
      await broker.subscribe(topic, (delivery) => void got.queue.push(delivery.text()), { queue: "workers" });
      await broker.subscribe("reconnect.*", (delivery) => {
        if (delivery.topic === topic) got.broadcast.push(delivery.text());
      });
      const isUp = () => until(() => broker.status === "connected", { what: "the connection is back", ...WAIT });
      const isDown = () => until(() => broker.status === "reconnecting", { what: "the loss was noticed", ...WAIT });
      return { broker, topic, proxy, got, isUp, isDown };
    };

    /** go-micro's envelope of a text. */
    const envelope = (text: string) => `{"Header":{},"Body":"${Buffer.from(text).toString("base64")}"}`;

    /** Checks that both subscriptions get what go-micro publishes, once each, and that go-micro gets ours. */
    const talks = async ({ broker, topic, got }: Awaited<ReturnType<typeof setUp>>, text: string) => {
      const go: NatsConnection = await connect({ servers: `${engine.host}:${engine.port}` });
      const heard: string[] = [];
      go.subscribe(topic, { callback: (_error, message) => void heard.push(message.string()) });
      go.publish(topic, envelope(text));
      await go.flush();
      expect((await broker.publish(topic, { body: `${text}, ours` })).state).toBe("sent");
      await until(() => got.queue.includes(`${text}, ours`) && got.broadcast.includes(`${text}, ours`), {
        what: `${text} reached both subscriptions`,
        detail: () => JSON.stringify(got),
        ...WAIT,
      });
      await until(() => heard.length === 2, { what: "go-micro got both", ...WAIT });
      expect(heard).toEqual([envelope(text), envelope(`${text}, ours`)]);
      for (const texts of [got.queue, got.broadcast]) expect(texts.splice(0)).toEqual([text, `${text}, ours`]);
      await go.close();
    };

    test("is restored after cuts, with the queue's member and the broadcast on it", TIMEOUT, async () => {
      const setup = await setUp();
      await talks(setup, "before");
      for (let round = 1; round <= 3; round += 1) {
        expect(setup.proxy.cut()).toBe(1);
        await setup.isDown();
        await setup.isUp();
        await talks(setup, `after cut ${round}`);
      }
    });

    test.each([
      ["a restart", () => engine.restart()],
      [
        "a crash",
        async () => {
          await engine.kill();
          await engine.startAgain();
        },
      ],
    ])("is restored after %s of the server", TIMEOUT, async (_what, trouble) => {
      const setup = await setUp();
      await talks(setup, "before");
      await trouble();
      await setup.isUp();
      await talks(setup, "after");
    });

    test("makes publishes wait in order, up to the buffer's bound, and then they are sent", TIMEOUT, async () => {
      const { broker, topic, proxy, got, isDown } = await setUp({ bufferMessages: 3 });
      await proxy.refuse();
      proxy.cut();
      await isDown();
      const waiting = ["1", "2", "3"].map((body) => broker.publish(topic, { body }));
      await expect(broker.publish(topic, { body: "4" })).rejects.toMatchObject({ code: "ERR_BACKLOG_FULL" });
      expect(broker.status).toBe("reconnecting");
      await proxy.accept();
      expect((await Promise.all(waiting)).map(({ state }) => state)).toEqual(["sent", "sent", "sent"]);
      await until(() => got.queue.length === 3 && got.broadcast.length === 3, { what: "they came back here", ...WAIT });
      expect(got).toEqual({ queue: ["1", "2", "3"], broadcast: ["1", "2", "3"] });
    });
  },
  { own: true },
);
