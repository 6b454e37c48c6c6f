import assert from "node:assert/strict";
import type { Broker } from "../../../broker.ts";
import { BrokerError } from "../../../errors.ts";
import type { CheckDefinition } from "../check.ts";
import { brings } from "../needs.ts";
import { publishNumbered } from "../publish-numbered.ts";
import { caught, rejectsWith } from "../rejects.ts";
import { openProxy, takeDown, untilStatus } from "./resilience-proxied.ts";

/** J. Resilience: what a broker says and does while its connection is down. */
export const connectionChecks: readonly CheckDefinition[] = [
  {
    name: "the status goes from connected to reconnecting and back, with the last error",
    promises: ["D12"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const { broker, errors } = await open();
      assert.ok(!hasFailed(broker), "a broker that has just connected has a last error");
      await takeDown(context, proxy, broker);
      const { lastError } = broker;
      assert.ok(lastError instanceof BrokerError, "a lost connection left no last error");
      assert.equal(lastError.code, "ERR_CONNECTION_LOST");
      assert.equal(lastError.retryable, true);
      assert.ok(errors.includes(lastError), "the loss was not reported to onError");
      await proxy.accept();
      await untilStatus(context, broker, "connected");
      assert.ok(hasFailed(broker), "the last error is gone once the connection is restored");
    },
  },
  {
    name: "publishes made while the connection is down wait, and go out in order when it is back",
    promises: ["D12", "D8"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const { broker } = await open();
      const [topic, log] = [context.topic(), context.log()];
      const receiver = await context.receive(await context.open(), topic, { log, concurrency: 1 });
      await takeDown(context, proxy, broker);
      const count = context.profile.few;
      let answered = false;
      const publishing = caught(() => publishNumbered(broker, topic, { count, log, window: count })).finally(() => {
        answered = true;
      });
      await context.quiet(() => receiver.seen.length);
      assert.equal(answered, false, "a publish was answered while the connection was down");
      await proxy.accept();
      assert.equal((await publishing)?.thrown, undefined, "a publish that had waited was rejected");
      await context.untilComplete(log);
      await context.quiet(() => receiver.seen.length);
      log.assertExact(undefined, { inOrder: context.capabilities.ordered });
    },
  },
  {
    name: "publishes beyond the buffer are ERR_BACKLOG_FULL while the connection is down",
    promises: ["D12"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const { broker } = await open({ bufferMessages: 5 });
      const topic = context.topic();
      const receiver = await context.receive(await context.open(), topic);
      await takeDown(context, proxy, broker);
      const publish = (number: number): Promise<unknown> => broker.publish(topic, { body: String(number) });
      const waiting = Promise.allSettled([0, 1, 2, 3, 4].map(publish));
      for (const number of [5, 6, 7]) {
        const error = await rejectsWith("ERR_BACKLOG_FULL", "a publish beyond the buffer", () => publish(number));
        assert.equal(error.retryable, true);
      }
      await proxy.accept();
      const answers = (await waiting).map(({ status }) => status);
      assert.deepEqual(new Set(answers), new Set(["fulfilled"]), "a publish within the buffer was rejected");
      await context.untilSeen(5, receiver);
      await context.quiet(() => receiver.seen.length);
      assert.deepEqual([...receiver.texts].sort(), ["0", "1", "2", "3", "4"]);
    },
  },
  {
    name: 'with whenFull "wait", publishes beyond the buffer wait too',
    promises: ["D12"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const { broker } = await open({ bufferMessages: 5, whenFull: "wait" });
      const [topic, log] = [context.topic(), context.log()];
      const receiver = await context.receive(await context.open(), topic, { log });
      await takeDown(context, proxy, broker);
      const publishing = caught(() => publishNumbered(broker, topic, { count: 20, log }));
      await proxy.accept();
      assert.equal((await publishing)?.thrown, undefined, "a publish that had waited was rejected");
      await context.untilComplete(log);
      await context.quiet(() => receiver.seen.length);
      log.assertExact();
    },
  },
  {
    name: "a subscribe while the connection is down works once it is back, or says that it may be tried again",
    promises: ["D12"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const { broker } = await open();
      const topic = context.topic();
      await takeDown(context, proxy, broker);
      const subscribing = context.receive(broker, topic);
      const failure = caught(() => subscribing);
      await proxy.accept();
      await untilStatus(context, broker, "connected");
      const thrown = (await failure)?.thrown;
      const typed = thrown === undefined || (thrown instanceof BrokerError && thrown.retryable);
      assert.ok(typed, `subscribe was rejected with ${String(thrown)}, not with a retryable BrokerError`);
      const receiver = thrown === undefined ? await subscribing : await context.receive(broker, topic);
      await broker.publish(topic, { body: "after" });
      await context.untilSeen(1, receiver);
      assert.deepEqual(receiver.texts, ["after"]);
    },
  },
  {
    name: "after reconnect.maxAttempts the broker is closed, and says why",
    promises: ["D12"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const { broker, errors } = await open({ reconnect: { minDelayMs: 1, maxDelayMs: 5, maxAttempts: 3 } });
      const topic = context.topic();
      await context.receive(broker, topic);
      await proxy.refuse();
      proxy.cut();
      await untilStatus(context, broker, "closed");
      assert.ok(broker.lastError instanceof BrokerError, "a broker that gave up has no last error");
      assert.ok(errors.includes(broker.lastError), "giving up was not reported to onError");
      await rejectsWith("ERR_NOT_CONNECTED", "a publish after the broker gave up", () => broker.publish(topic));
      await broker.disconnect();
    },
  },
  {
    name: "disconnect while the connection is down ends within its deadline, and answers what waits",
    promises: ["D11", "D12"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, open } = await openProxy(context);
      const { broker } = await open({ drainTimeoutMs: 300 });
      const topic = context.topic();
      await context.receive(broker, topic, { queue: context.queue() });
      await takeDown(context, proxy, broker);
      const waiting = caught(() => broker.publish(topic, { body: "never sent" }));
      const started = performance.now();
      const failure = await caught(() => broker.disconnect());
      const tookMs = performance.now() - started;
      assert.ok(tookMs < 10_000, `disconnect took ${Math.round(tookMs)} ms with a deadline of 300`);
      assert.equal(broker.status, "closed");
      const told = failure?.thrown;
      assert.ok(
        told === undefined || (told instanceof BrokerError && told.code === "ERR_UNDELIVERED"),
        `disconnect failed with ${String(told)}`,
      );
      assert.ok(
        (await waiting)?.thrown instanceof BrokerError,
        "a waiting publish was not rejected with a BrokerError",
      );
    },
  },
  {
    name: "connect succeeds once a server that was away is there",
    promises: ["D12", "D14"],
    needs: brings("proxied"),
    async run(context) {
      const { proxy, unconnected } = await openProxy(context);
      const { broker } = unconnected({ connectTimeoutMs: 4 * context.profile.deadlineMs });
      await proxy.refuse();
      const connecting = caught(() => broker.connect());
      await context.until("connecting has failed once", () => broker.lastError !== undefined);
      assert.equal(broker.status, "connecting");
      await proxy.accept();
      assert.equal((await connecting)?.thrown, undefined, "connect gave up");
      assert.equal(broker.status, "connected");
    },
  },
  {
    name: "an unreachable server is tried reconnect.maxAttempts times",
    promises: ["D14"],
    needs: brings("unreachable"),
    async run(context) {
      const reconnect = { minDelayMs: 1, maxDelayMs: 5, maxAttempts: 3 };
      const broker = context.special("unreachable", { connectTimeoutMs: 600_000, reconnect });
      await rejectsWith("ERR_CONNECT_FAILED", "connecting to an address where nobody answers", () => broker.connect());
      assert.equal(broker.status, "closed");
    },
  },
  {
    name: "the error of refused credentials does not show them",
    promises: ["D14"],
    needs: brings("refused"),
    async run(context) {
      const broker = context.special("refused");
      const error = await rejectsWith("ERR_AUTHENTICATION", "connecting with bad credentials", () => broker.connect());
      for (let shown: unknown = error; shown instanceof Error; shown = shown.cause)
        assert.doesNotMatch(
          `${shown.message} ${shown.stack ?? ""}`,
          /:\/\/[^/\s@]*:[^/\s@]+@/,
          "it shows a URL's password",
        );
      assert.doesNotMatch(broker.address, /@/);
      assert.equal(broker.lastError, error);
    },
  },
];

function hasFailed(broker: Broker): boolean {
  return broker.lastError instanceof BrokerError;
}
