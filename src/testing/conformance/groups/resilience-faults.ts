import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import type { ProxyControl } from "../harness.ts";
import { all, atLeastOnce, brings } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import {
  assertArrived,
  cutsOf,
  LOAD_ACCEPT_MS,
  type StubbornLoad,
  startLoad,
  untilAcknowledged,
} from "./resilience-load.ts";
import { openProxy, type ProxiedBroker, untilStatus } from "./resilience-proxied.ts";

const DELAY_MS = 40;
/** A byte takes a turn of the event loop on each side of the proxy: more of them would last longer than a PING may. */
const BODY_BYTES = 300;

/** J. Resilience: what a network does to a connection. */
export const faultChecks: readonly CheckDefinition[] = [
  {
    name: "the connection is cut again and again: what was sent and acknowledged is received",
    promises: ["D12"],
    needs: all(atLeastOnce, brings("proxied")),
    async run(context) {
      const cuts = cutsOf(context.profile);
      await underLoad(context, async (load, proxy) => {
        for (let cut = 1; cut <= cuts; cut += 1) {
          // Progress between two cuts shows that the one before was got over.
          await untilAcknowledged(context, load, Math.floor((cut * load.total) / (cuts + 1)));
          proxy.cut();
        }
      });
    },
  },
  {
    name: "the connection goes silent: that is noticed, and what was sent and acknowledged is received",
    promises: ["D12"],
    needs: all(atLeastOnce, brings("proxied")),
    async run(context) {
      await underLoad(context, async (load, proxy, brokers) => {
        await untilAcknowledged(context, load, Math.floor(load.total / 3));
        proxy.halfOpen();
        for (const { broker } of brokers) await untilStatus(context, broker, "reconnecting");
        await proxy.heal();
        for (const { broker } of brokers) await untilStatus(context, broker, "connected");
      });
    },
  },
  {
    name: "a slow connection delivers everything once and in order, and is not taken for a lost one",
    promises: ["D12", "D8"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      proxy.delay(DELAY_MS);
      const [sender, member] = [await open(), await open()];
      const [topic, log] = [context.topic(), context.log()];
      const receiver = await context.receive(member.broker, topic, { log, concurrency: 1, prefetch: 16 });
      await publishNumbered(sender.broker, topic, { count: 50, log });
      await context.untilComplete(log);
      await context.quiet(() => receiver.seen.length);
      log.assertExact(undefined, { inOrder: context.capabilities.ordered });
      assert.deepEqual(codesOf(sender, member), []);
    },
  },
  {
    name: "a connection that delivers byte by byte delivers everything whole",
    promises: ["D12", "D9"],
    needs: brings("proxied"),
    // Beside other checks each turn of the event loop, and so each byte, waits for all of them.
    alone: true,
    async run(context) {
      const { proxy, open } = await openProxy(context);
      proxy.byteByByte();
      const [sender, member] = [await open(), await open()];
      const topic = context.topic();
      const receiver = await context.receive(member.broker, topic, { queue: context.queue() });
      const bodies = Array.from({ length: 5 }, (_, number) => Buffer.alloc(BODY_BYTES, `\u0000\r\n${number}ä`));
      const header = { "x-header": "some value, and: more" };
      await Promise.all(bodies.map((body) => sender.broker.publish(topic, { header, body })));
      await context.untilSeen(bodies.length, receiver);
      await context.quiet(() => receiver.seen.length);
      const got = receiver.seen.map(({ body }) => Buffer.from(body).toString("hex"));
      assert.deepEqual(got.sort(), bodies.map((body) => body.toString("hex")).sort());
      assert.ok(receiver.seen.every((seen) => seen.header["x-header"] === header["x-header"]));
      assert.deepEqual(codesOf(sender, member), []);
    },
  },
];

/** Two publishers and two members of a queue behind one proxy, and trouble while they work. */
async function underLoad(
  context: CheckContext,
  trouble: (load: StubbornLoad, proxy: ProxyControl, brokers: readonly ProxiedBroker[]) => Promise<void>,
): Promise<void> {
  const { proxy, open } = await openProxy(context);
  const [topic, queue] = [context.topic(), context.queue()];
  const log = context.log();
  const members = [await open(), await open()];
  const publishers = [await open({ acceptTimeoutMs: LOAD_ACCEPT_MS }), await open({ acceptTimeoutMs: LOAD_ACCEPT_MS })];
  const receivers = await Promise.all(
    members.map(({ broker }, index) => context.receive(broker, topic, { queue, log, as: `member-${index}` })),
  );
  const senders = publishers.map(({ broker }) => broker);
  const load = startLoad(context, senders, topic, { total: context.profile.several, log });
  await trouble(load, proxy, [...members, ...publishers]);
  await assertArrived(context, load, { broker: await context.open(), topic, log, receivers });
}

function codesOf(...brokers: readonly ProxiedBroker[]): string[] {
  return brokers.flatMap(({ errors }) => errors.map(({ code, message }) => `${code}: ${message}`));
}
