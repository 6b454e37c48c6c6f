import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { ownFolder, RunningProgram } from "../cli/tidings-process.ts";
import type { Engine } from "../support/engines/engine.ts";
import { describeWithEngine, type EngineName } from "../support/engines/find-engine.ts";
import { startNats } from "../support/engines/nats.ts";
import { startRabbitmq } from "../support/engines/rabbitmq.ts";

const DEMO = fileURLToPath(new URL("../../scripts/demo.mjs", import.meta.url));
const SUMMARY = '{"published":40,"received":{"pubsub.1":40,"pubsub.2":20},"lost":0,"duplicates":0}';

const engines: readonly [broker: string, name: EngineName, start: () => Promise<Engine>][] = [
  ["nats", "nats", startNats],
  ["nats+core", "nats", () => startNats({ jetstream: false })],
  ["rabbitmq", "rabbitmq", startRabbitmq],
];

for (const [broker, name, start] of engines) {
  describeWithEngine(
    name,
    `the demo on ${broker}`,
    () => {
      let engine: Engine;
      let program: RunningProgram | undefined;
      const folder = ownFolder();

      beforeAll(async () => {
        engine = await start();
      }, 90_000);

      afterEach(async () => {
        program?.child.kill("SIGKILL");
        await program?.ended;
      });

      afterAll(async () => {
        folder.remove();
        await engine?.stop();
      });

      const run = async (...args: readonly string[]): Promise<RunningProgram> => {
        const flags = ["--broker", broker, "--broker-address", `${engine.host}:${engine.port}`];
        program = new RunningProgram(process.execPath, [DEMO, ...args, ...flags], folder.env);
        return program;
      };

      test("ends with the same line as on HTTP", { timeout: 60_000 }, async () => {
        const demo = await run("--messages", "20");
        await demo.endsWith(0);
        expect(demo.lines.at(-1)).toBe(SUMMARY);
        expect(demo.err).not.toMatch(/ERR_|error/);
      });

      test("leaves out what an earlier run or somebody else has left in its queue", { timeout: 60_000 }, async () => {
        const other = createBroker(engine.url.replace(/^nats:/, `${broker}:`), { logger: silentLogger });
        await other.connect();
        await other.publish("example.topic.pubsub.2", { body: '{"sequence":7}' });
        await other.disconnect();
        const demo = await run("--messages", "20");
        await demo.endsWith(0);
        expect(demo.lines.at(-1)).toBe(SUMMARY);
      });

      test("runs until Ctrl-C, and sums up", { timeout: 60_000 }, async () => {
        const demo = await run();
        await demo.hasLines(10);
        demo.child.kill("SIGINT");
        await demo.endsWith(0);
        expect(demo.lines.at(-1)).toMatch(/^published: \d+, lost: 0, duplicates: 0$/);
      });
    },
    { own: true },
  );
}
