import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, startNats } from "../support/engines/nats.ts";
import { type FaultProxy, faultProxy } from "../support/fault-proxy.ts";
import { type SurvivalRig, surviveRollingRestarts, surviveTermination, surviveTrouble } from "../support/survival.ts";

const TIMEOUT = { timeout: 180_000 };

describeWithEngine(
  "nats",
  "JetStream under load, in processes of their own",
  () => {
    let engine: NatsEngine;
    let proxy: FaultProxy;
    let rig: SurvivalRig;

    beforeAll(async () => {
      engine = await startNats({ auth: { user: "ada", password: "s3cret of the test" } });
      proxy = await faultProxy(engine);
      const troubledUrl = proxy.through(engine.url);
      rig = { name: "nats", urlOf: () => troubledUrl, directUrl: engine.url, engine, cut: () => proxy.cut() };
    }, 60_000);

    afterAll(async () => {
      await proxy.close();
      await engine.stop();
    });

    test("an engine killed twice, a member killed and ten cuts lose nothing", TIMEOUT, async () => {
      const report = await surviveTrouble(rig);
      expect(report).toMatchObject({ sent: 5_000, lost: 0, deadLetters: 0 });
      expect(report.connectionsCut).toBeGreaterThanOrEqual(10);
    });

    test("SIGTERM loses nothing, dead-letters nothing, and ends within the drain deadline", TIMEOUT, async () => {
      const { ends, drainTimeoutMs, ...report } = await surviveTermination(rig);
      expect(report).toMatchObject({ lost: 0, duplicated: 0, deadLetters: 0, highestAttempt: 1 });
      expect(ends.map(({ ended }) => ended)).toEqual([0, 0, 0]);
      for (const { tookMs } of ends) expect(tookMs).toBeLessThan(drainTimeoutMs);
    });

    test(
      "ten rolling restarts cost no attempts: what always fails is tried maxAttempts times, in its queue",
      TIMEOUT,
      async () => {
        const report = await surviveRollingRestarts(rig);
        const every = Array.from({ length: report.maxAttempts }, (_, index) => index + 1);
        expect(report).toMatchObject({ restarts: 10, lost: 0, duplicated: 0 });
        for (const attempts of report.attempts) expect([...attempts].sort()).toEqual(every);
        expect(report.elsewhere).toEqual(report.attempts.map(() => 1));
        expect(report.letters).toHaveLength(report.attempts.length);
        for (const { queue, attempts } of report.letters)
          expect([queue, attempts]).toEqual(["failing", report.maxAttempts]);
      },
    );
  },
  { own: true },
);
