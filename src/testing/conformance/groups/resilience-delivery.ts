import assert from "node:assert/strict";
import type { Delivery } from "../../../delivery.ts";
import { BrokerError } from "../../../errors.ts";
import type { CheckDefinition } from "../check.ts";
import { LargeMessages, largeMessage } from "../large-bodies.ts";
import { all, atLeastOnce, brings, has, holdsBroadcast } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import type { Receiver } from "../receiver.ts";
import { caught } from "../rejects.ts";
import { pause } from "../until.ts";
import { assertArrived, LOAD_ACCEPT_MS, LOAD_MS, startLoad, untilAcknowledged } from "./resilience-load.ts";
import { openProxy, takeDown, untilStatus } from "./resilience-proxied.ts";

/** One for the start that the cuts meet, one for the message that comes again because its ack was lost. */
const MAX_ATTEMPTS = 2;

/** J. Resilience: what a lost connection means for messages, queues and members. */
export const resilientDeliveryChecks: readonly CheckDefinition[] = [
  {
    name: "ten cuts cost the messages that a member holds no attempt",
    promises: ["D4", "D12"],
    needs: all(atLeastOnce, brings("proxied")),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const [{ broker: member }, sender] = [await open(), await context.open()];
      const [topic, queue, log] = [context.topic(), context.queue(), context.log()];
      const gate = context.gate();
      const options = { queue, concurrency: 1, prefetch: 10, maxAttempts: MAX_ATTEMPTS };
      const receiver = await context.receive(member, topic, { ...options, log, handle: () => gate.pass() });
      await publishNumbered(sender, topic, { count: 10, log });
      await context.untilSeen(1, receiver);
      for (let cut = 1; cut <= 10; cut += 1) {
        await takeDown(context, proxy, member);
        await proxy.accept();
        await untilStatus(context, member, "connected");
      }
      gate.open();
      await context.untilComplete(log);
      await context.quiet(() => receiver.seen.length);
      assertAttemptsWereStarts(receiver);
      if (context.capabilities.deadLetters) assert.deepEqual(await sender.deadLetters.list(`dlq.${topic}`), []);
    },
  },
  {
    name: "an ack over a lost connection is done, or fails with a typed error and the message comes again",
    promises: ["D3", "D12"],
    needs: all(atLeastOnce, brings("proxied")),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const [{ broker: member }, sender] = [await open(), await context.open()];
      const [topic, queue] = [context.topic(), context.queue()];
      const receiver = await context.receive(member, topic, { queue, autoAck: false, maxAttempts: MAX_ATTEMPTS });
      await sender.publish(topic, { body: "held" });
      await context.untilSeen(1, receiver);
      await takeDown(context, proxy, member);
      await proxy.accept();
      await untilStatus(context, member, "connected");
      const first = receiver.seen[0]?.delivery as Delivery;
      const failure = await caught(() => first.ack());
      if (failure === undefined) await context.quiet(() => receiver.seen.length);
      else {
        assert.ok(failure.thrown instanceof BrokerError, `ack failed with ${String(failure.thrown)}`);
        await context.untilSeen(2, receiver);
      }
      // What came again, before or after the ack, ends here.
      for (const { delivery } of receiver.seen.slice(1)) await caught(() => delivery.ack());
      const { length } = receiver.seen;
      await context.quiet(() => receiver.seen.length);
      assert.equal(receiver.seen.length, length, "a message that was acked came again");
      assert.deepEqual(new Set(receiver.texts), new Set(["held"]));
      assertAttemptsWereStarts(receiver);
    },
  },
  {
    name: "a broadcast subscriber loses nothing over a short cut",
    promises: ["D2", "D12"],
    needs: all(atLeastOnce, holdsBroadcast, brings("proxied")),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const [{ broker: subscriber }, sender] = [await open(), await context.open({ acceptTimeoutMs: LOAD_ACCEPT_MS })];
      const [topic, log] = [context.topic(), context.log()];
      const receiver = await context.receive(subscriber, topic, { log });
      await publishNumbered(sender, topic, { publisher: "before", count: 10, log });
      await context.untilComplete(log);
      await takeDown(context, proxy, subscriber);
      await publishNumbered(sender, topic, { publisher: "meanwhile", count: 10, log });
      await proxy.accept();
      await untilStatus(context, subscriber, "connected");
      await publishNumbered(sender, topic, { publisher: "after", count: 10, log });
      await context.untilComplete(log);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(log.audit().unexpected, []);
    },
  },
  {
    name: "a queue keeps what was published while its only member's connection was down",
    promises: ["D12", "D13"],
    needs: all(atLeastOnce, brings("proxied")),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const [{ broker: member }, sender] = [await open(), await context.open({ acceptTimeoutMs: LOAD_ACCEPT_MS })];
      const [topic, queue, log] = [context.topic(), context.queue(), context.log()];
      const receiver = await context.receive(member, topic, { queue, log });
      await takeDown(context, proxy, member);
      await publishNumbered(sender, topic, { count: 20, log });
      await proxy.accept();
      await context.untilComplete(log);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual(log.audit().unexpected, []);
    },
  },
  {
    name: "large bodies arrive as they were sent over connections that break while they are on their way",
    promises: ["D9", "D12"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const [{ broker: sender }, receiver] = [await open(), await context.open()];
      const topic = context.topic();
      const messages = new LargeMessages();
      await receiver.subscribe(topic, messages.handler, { concurrency: 32 });
      const [acknowledged, thrown] = [new Set<number>(), [] as unknown[]];
      let [next, cutting] = [0, true];
      const underWay = new Set<Promise<void>>();
      const publish = async (number: number) => {
        const failure = await caught(() => sender.publish(topic, largeMessage(number)));
        if (failure === undefined) acknowledged.add(number);
        else thrown.push(failure.thrown);
      };
      const publishing = async () => {
        while (cutting) {
          // While some wait for the connection, others are published.
          if (underWay.size < 32) {
            const one = publish(next++).finally(() => underWay.delete(one));
            underWay.add(one);
          }
          await pause(1);
        }
        await Promise.all(underWay);
      };
      const published = publishing();
      try {
        for (let cut = 1; cut <= 5; cut += 1) {
          const goal = acknowledged.size + 20;
          await context.until("more was acknowledged", () => acknowledged.size >= goal);
          await takeDown(context, proxy, sender);
          await proxy.accept();
          await untilStatus(context, sender, "connected");
        }
      } finally {
        cutting = false;
      }
      await published;
      const lost = () => [...acknowledged].filter((number) => !messages.arrived.has(number));
      if (context.capabilities.guarantee === "at-least-once")
        await context.until("all have come", () => lost().length === 0 || messages.changed.length > 0);
      assert.deepEqual(messages.changed, [], "messages with these numbers arrived changed");
      for (const error of thrown)
        assert.ok(error instanceof BrokerError && error.retryable, `publish was rejected with ${String(error)}`);
    },
  },
  {
    name: "topology that is removed behind the driver's back is restored",
    promises: ["D12"],
    // An engine that keeps no queues has nothing of the driver's to remove.
    needs: all(has("standingQueues"), brings("removeTopology")),
    alone: true,
    async run(context) {
      const [member, sender] = [await context.open(), await context.open({ acceptTimeoutMs: LOAD_ACCEPT_MS })];
      const [topic, queue, log] = [context.topic(), context.queue(), context.log()];
      const markers: Receiver["texts"] = [];
      await context.receive(member, topic, {
        queue,
        handle: (_delivery, { text }) => (text === "marker" ? markers.push(text) : log.received("member", text)),
      });
      await publishNumbered(sender, topic, { publisher: "before", count: 10, log });
      await context.untilComplete(log);
      await context.harness.removeTopology?.(topic, queue);
      // What is published until the topology is back may be lost with it: only a marker that arrives says that it is.
      await context.until("a message arrives again", async () => {
        const failure = await caught(() => sender.publish(topic, { body: "marker" }));
        const typed = failure === undefined || (failure.thrown instanceof BrokerError && failure.thrown.retryable);
        assert.ok(typed, `publish was rejected with ${String(failure?.thrown)}, not with a retryable BrokerError`);
        return markers.length > 0;
      });
      await publishNumbered(sender, topic, { publisher: "after", count: 20, log });
      await context.untilComplete(log);
      await context.quiet(() => log.count("member"));
      log.assertExact();
      assert.deepEqual([member.status, sender.status], ["connected", "connected"]);
    },
  },
  {
    name: "members join, leave and disconnect under load: what was sent and acknowledged is received, once",
    promises: ["D2", "D11", "D12"],
    needs: atLeastOnce,
    async run(context) {
      const [publisher, other] = [await context.open(), await context.open()];
      const [topic, queue, log] = [context.topic(), context.queue(), context.log()];
      const total = context.profile.several;
      // Members that cannot keep up hold messages that they have not started when they leave.
      const options = { queue, log, concurrency: 1, prefetch: 8, handle: () => pause((4 * LOAD_MS) / total) };
      const receivers = [await context.receive(publisher, topic, { ...options, as: "staying" })];
      const load = startLoad(context, [publisher, other], topic, { total, log });
      const rounds = context.profile.rounds;
      for (let round = 1; round <= rounds; round += 1) {
        const guest = await context.open();
        const [first, second] = [
          await context.receive(guest, topic, { ...options, as: `guest-${round}` }),
          await context.receive(other, topic, { ...options, as: `other-${round}` }),
        ];
        receivers.push(first, second);
        await untilAcknowledged(context, load, Math.floor((round * load.total) / (rounds + 1)));
        await Promise.all([guest.disconnect(), second.unsubscribe()]);
      }
      await assertArrived(context, load, { broker: publisher, topic, log, receivers });
      log.assertExact();
    },
  },
];

/** Asserts that nothing but handler starts was counted as an attempt, and that no message got more of them than it may. */
function assertAttemptsWereStarts(receiver: Receiver): void {
  const starts = new Map<string, number>();
  for (const { id, text, attempt } of receiver.seen) {
    const start = (starts.get(id) ?? 0) + 1;
    starts.set(id, start);
    assert.ok(attempt <= start, `start ${start} of ${text} was called attempt ${attempt}: the cut cost an attempt`);
    assert.ok(start <= MAX_ATTEMPTS, `${text} was started ${start} times with maxAttempts ${MAX_ATTEMPTS}`);
  }
}
