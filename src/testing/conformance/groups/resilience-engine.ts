import assert from "node:assert/strict";
import { BrokerError } from "../../../errors.ts";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { all, atLeastOnce, controls, has } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import {
  assertArrived,
  cutsOf,
  LOAD_ACCEPT_MS,
  LOAD_MS,
  type StubbornLoad,
  startLoad,
  untilAcknowledged,
} from "./resilience-load.ts";

const PUBLISHERS = 4;
const MEMBERS = 3;

/**
 * How long the load lasts in whose middle the engine is killed, in milliseconds. What an engine confirms is safe then; that
 * a queue exists it may write down a second later (RabbitMQ 3.10 does).
 */
const KILLED_LOAD_MS = 6_000;

/** J. Resilience: trouble that the engine itself makes. Every other check would feel it, so that these run alone. */
export const engineChecks: readonly CheckDefinition[] = [
  {
    name: "the engine restarts at 1/3 and 2/3 of the load: what was sent and acknowledged is received",
    promises: ["D12", "D13"],
    needs: all(atLeastOnce, has("durable"), controls("restart")),
    alone: true,
    async run(context) {
      await underLoad(context, async (load) => {
        for (const third of [1, 2]) {
          await untilAcknowledged(context, load, Math.floor((third * load.total) / 3));
          await context.harness.engine?.restart?.();
        }
      });
    },
  },
  {
    name: "the engine is killed and started again under load: what was sent and acknowledged is received",
    promises: ["D12", "D13"],
    needs: all(atLeastOnce, has("durable"), controls("kill", "startAgain")),
    alone: true,
    async run(context) {
      await underLoad(
        context,
        async (load) => {
          await untilAcknowledged(context, load, Math.floor(load.total / 2));
          await context.harness.engine?.kill?.();
          await context.harness.engine?.startAgain?.();
        },
        KILLED_LOAD_MS,
      );
    },
  },
  {
    name: "connections are cut from the engine's side again and again: what was sent and acknowledged is received",
    promises: ["D12"],
    needs: all(atLeastOnce, controls("cutConnections")),
    alone: true,
    async run(context) {
      const cuts = cutsOf(context.profile);
      await underLoad(context, async (load) => {
        for (let cut = 1; cut <= cuts; cut += 1) {
          // Progress between two cuts shows that the one before was got over.
          await untilAcknowledged(context, load, Math.floor((cut * load.total) / (cuts + 1)));
          await context.harness.engine?.cutConnections?.();
        }
      });
    },
  },
  {
    name: "the engine hangs for a moment under load: what was sent and acknowledged is received",
    promises: ["D12"],
    needs: all(atLeastOnce, controls("pause", "resume")),
    alone: true,
    async run(context) {
      const { engine } = context.harness;
      context.defer(() => engine?.resume?.());
      await underLoad(context, async (load) => {
        await untilAcknowledged(context, load, Math.floor(load.total / 2));
        await engine?.pause?.();
        await context.quiet(() => load.acknowledged);
        await engine?.resume?.();
      });
    },
  },
  {
    name: "once a broker is connected again, everything on it is restored",
    promises: ["D12"],
    needs: controls("cutConnections"),
    alone: true,
    async run(context) {
      const [one, two] = [await context.open({ acceptTimeoutMs: LOAD_ACCEPT_MS }), await context.open()];
      const [root, queue] = [context.topic(), context.queue()];
      const topic = `${root}.created`;
      const log = context.log();
      await context.receive(one, topic, { log, as: "broadcast" });
      await context.receive(two, `${root}.*`, { log, as: "pattern" });
      await context.receive(one, topic, { log, as: "member-1", queue });
      await context.receive(two, topic, { log, as: "member-2", queue });
      for (const round of [1, 2]) {
        const before = [one.lastError, two.lastError];
        await context.harness.engine?.cutConnections?.();
        for (const [index, broker] of [one, two].entries()) {
          await context.until(
            "the cut was noticed and got over",
            () => broker.lastError !== before[index] && broker.status === "connected",
            { detail: () => `the broker is ${broker.status}, its last error ${String(broker.lastError?.code)}` },
          );
          assert.ok(broker.lastError instanceof BrokerError && broker.lastError.code === "ERR_CONNECTION_LOST");
        }
        await publishNumbered(one, topic, { publisher: `round-${round}`, count: 20, log });
        for (const share of [["broadcast"], ["pattern"], ["member-1", "member-2"]])
          await context.untilComplete(log, share);
      }
      await context.quiet(() =>
        ["broadcast", "pattern", "member-1", "member-2"].reduce((sum, as) => sum + log.count(as), 0),
      );
      for (const share of [["broadcast"], ["pattern"], ["member-1", "member-2"]]) log.assertExact(share);
    },
  },
];

/** Four publishers and three members of a queue, each with a broker of its own, and trouble while they work. */
async function underLoad(
  context: CheckContext,
  trouble: (load: StubbornLoad) => Promise<void>,
  lastsMs: number = LOAD_MS,
): Promise<void> {
  const [topic, queue] = [context.topic(), context.queue()];
  const log = context.log();
  const members = await Promise.all(Array.from({ length: MEMBERS }, () => context.open()));
  const publishers = await Promise.all(
    Array.from({ length: PUBLISHERS }, () => context.open({ acceptTimeoutMs: LOAD_ACCEPT_MS })),
  );
  const receivers = await Promise.all(
    members.map((broker, index) => context.receive(broker, topic, { queue, log, as: `member-${index}` })),
  );
  const load = startLoad(context, publishers, topic, { total: context.profile.several, log, lastsMs });
  await trouble(load);
  const [broker] = publishers;
  assert.ok(broker !== undefined);
  await assertArrived(context, load, { broker, topic, log, receivers });
}
