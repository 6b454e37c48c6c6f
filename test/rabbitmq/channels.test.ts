import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";

const CHANNELS = 40;

describeWithEngine(
  "rabbitmq",
  "a RabbitMQ server that gives few channels",
  () => {
    let engine: RabbitmqEngine;

    beforeAll(async () => {
      engine = await startRabbitmq({ config: `channel_max = ${CHANNELS}` });
    }, 60_000);

    afterAll(() => engine.stop());

    test("refuses subscriptions while there are some left for retries, dead letters and counting", async () => {
      const broker = createBroker(engine.url, { logger: silentLogger, onError: () => {} });
      await broker.connect();
      const attempts: number[] = [];
      const failing = ({ attempt }: { attempt: number }) => {
        attempts.push(attempt);
        throw new Error("it always fails");
      };
      await broker.subscribe("failing", failing, { queue: "q", maxAttempts: 2, backoffMs: 10 });
      let refused: unknown;
      for (let number = 0; number < CHANNELS && refused === undefined; number += 1)
        await broker
          .subscribe(`t${number}`, () => {}, { queue: "q" })
          .catch((error: unknown) => {
            refused = error;
          });
      expect(refused).toMatchObject({ code: "ERR_DRIVER", message: expect.stringMatching(/40 channels/) });
      await broker.publish("failing", {});
      await vi.waitFor(async () => expect(await broker.deadLetters.list("failing")).toHaveLength(1), {
        timeout: 20_000,
      });
      expect(attempts).toEqual([1, 2]);
      const members = (await broker.queues.list()).map((queue) => queue.members);
      expect(members.filter((count) => count === 1).length).toBeGreaterThan(3);
      await broker.disconnect();
    }, 60_000);
  },
  { own: true },
);
