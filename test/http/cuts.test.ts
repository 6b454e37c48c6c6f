import { createHash, randomFillSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { FRAME } from "../../src/drivers/http/wire/frames.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker, registryFolder } from "./support/brokers.ts";
import { proxiedBroker, type TcpProxy } from "./support/tcp-proxy.ts";

/** Waits until the sender has come back after a cut. */
function reconnected(proxy: TcpProxy, before: number): Promise<unknown> {
  return until(() => proxy.accepted > before && proxy.connections > 0, { what: "the sender had reconnected" });
}

describe("connections cut while a handler runs", () => {
  test.each([1, 3, 8])(
    "%i times: it runs once, no attempt is counted, and the sender learns the outcome",
    async (cuts) => {
      const folder = await registryFolder();
      const gate = deferred<void>();
      const { broker: receiver, proxy } = await proxiedBroker(folder);
      const attempts: number[] = [];
      await receiver.subscribe("t.x", (delivery) => {
        attempts.push(delivery.attempt);
        return gate.promise;
      });
      const { broker: sender, givenUp } = await openBroker(folder);
      expect((await sender.publish("t.x", { body: "x" })).state).toBe("accepted");
      for (let cut = 0; cut < cuts; cut += 1) {
        const before = proxy.accepted;
        expect(proxy.cut()).toBeGreaterThan(0);
        await reconnected(proxy, before);
        // An answer on the new connection says that both have told what they have.
        await sender.queues.list();
      }
      gate.resolve();
      await sender.flush({ signal: AbortSignal.timeout(15_000) });
      expect(attempts).toEqual([1]);
      expect(givenUp).toEqual([]);
    },
  );

  test("the outcome is kept when there is nobody to tell, for when the sender comes back", async () => {
    const folder = await registryFolder();
    const gate = deferred<void>();
    const { broker: receiver, proxy } = await proxiedBroker(folder);
    const attempts: number[] = [];
    await receiver.subscribe("t.x", async (delivery) => {
      attempts.push(delivery.attempt);
      await gate.promise;
      // The handler's return and the cut are one.
      proxy.cut();
    });
    const { broker: sender } = await openBroker(folder);
    await sender.publish("t.x", { body: "x" });
    gate.resolve();
    await sender.flush({ signal: AbortSignal.timeout(15_000) });
    expect(attempts).toEqual([1]);
  });

  test.each([
    ["received", FRAME.received],
    ["done", FRAME.done],
  ])("a message whose answer %s was lost on the way is not handled again", async (_name, type) => {
    const folder = await registryFolder();
    const { broker: receiver, proxy } = await proxiedBroker(folder);
    const heard: string[] = [];
    await receiver.subscribe("t.x", async (delivery) => {
      await Promise.resolve();
      heard.push(`${delivery.text()} ${delivery.attempt}`);
    });
    const { broker: sender } = await openBroker(folder);
    await sender.publish("t.x", { body: "0" });
    await sender.flush({ signal: AbortSignal.timeout(10_000) });
    proxy.swallow(type);
    for (let n = 1; n <= 5; n += 1) await sender.publish("t.x", { body: String(n) });
    await sender.flush({ signal: AbortSignal.timeout(15_000) });
    expect(proxy.swallowing).toBe(false);
    expect(heard).toEqual(["0 1", "1 1", "2 1", "3 1", "4 1", "5 1"]);
  });

  test("again and again under load: nothing is lost, handled twice or counted, in the order of publishing", async () => {
    const count = 300;
    const folder = await registryFolder();
    const { broker: receiver, proxy } = await proxiedBroker(folder);
    const heard: string[] = [];
    const attempts = new Set<number>();
    await receiver.subscribe(
      "t.x",
      async (delivery) => {
        heard.push(delivery.text());
        attempts.add(delivery.attempt);
        if (heard.length % 50 === 0) proxy.cut();
        await new Promise((resolve) => setImmediate(resolve));
      },
      { concurrency: 8, prefetch: 16 },
    );
    const { broker: sender } = await openBroker(folder);
    const sent = Array.from({ length: count }, (_one, index) => String(index));
    await Promise.all(sent.map((body) => sender.publish("t.x", { body })));
    await sender.flush({ signal: AbortSignal.timeout(20_000) });
    expect([...heard].sort((a, b) => Number(a) - Number(b))).toEqual(sent);
    expect([...attempts]).toEqual([1]);
  });
});

describe("large bodies between small ones", () => {
  test.each([
    ["plain", {}],
    ["encrypted", { secure: true }],
  ])("arrive whole through cuts of %s connections, though their buffers change at once", async (_name, own) => {
    const folder = await registryFolder();
    const { broker: receiver, proxy } = await proxiedBroker(folder, own);
    const heard = new Map<string, string>();
    const digest = (body: Uint8Array) => createHash("sha256").update(body).digest("hex");
    await receiver.subscribe(
      "t.x",
      ({ id, message: { body } }) => {
        heard.set(id, digest(body));
        body.fill(0);
        if (heard.size % 40 === 0) proxy.cut();
      },
      { concurrency: 8, prefetch: 16 },
    );
    const { broker: sender } = await openBroker(folder, own);
    const sent = new Map<string, string>();
    const body = Buffer.alloc(300_000);
    const sizes = [10, 16_383, 16_384, 65_536, 300_000, 0];
    const publishing = Array.from({ length: 180 }, (_one, index) => {
      const part = body.subarray(0, sizes[index % sizes.length]);
      randomFillSync(part);
      const id = String(index);
      sent.set(id, digest(part));
      return sender.publish("t.x", { body: part }, { id });
    });
    await Promise.all(publishing);
    await sender.flush({ signal: AbortSignal.timeout(20_000) });
    expect(heard).toEqual(sent);
  });
});

describe("connections cut while nobody uses them", () => {
  test("are made anew at once: the next message arrives without delay", async () => {
    const folder = await registryFolder();
    const { broker: receiver, proxy } = await proxiedBroker(folder);
    let heard = 0;
    await receiver.subscribe("t.x", () => {
      heard += 1;
    });
    const { broker: sender, errors } = await openBroker(folder);
    await sender.publish("t.x", { body: "0" });
    await sender.flush({ signal: AbortSignal.timeout(10_000) });
    // One connection, whatever goes over it.
    expect(proxy.cut()).toBe(1);
    const startedAt = performance.now();
    expect((await sender.publish("t.x", { body: "next" })).state).toBe("accepted");
    await sender.flush({ signal: AbortSignal.timeout(10_000) });
    expect(heard).toBe(2);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(errors).toEqual([]);
  });

  test("do not make a live process seem gone: it is told of a new subscription before subscribe resolves", async () => {
    const folder = await registryFolder();
    const { broker: publisher, proxy } = await proxiedBroker(folder);
    const { broker: subscriber } = await openBroker(folder);
    for (let n = 0; n < 5; n += 1) {
      proxy.cut();
      await subscriber.subscribe(`t.${n}`, () => {});
      expect((await publisher.publish(`t.${n}`, { body: "x" }, { mandatory: true })).state).toBe("accepted");
    }
  });

  test("are not cut by the idle limit of either side, which is kept off with pings", async () => {
    const folder = await registryFolder();
    const { broker: publisher, proxy } = await proxiedBroker(folder, { limits: { idleTimeoutMs: 3_000 } });
    const { broker: subscriber, errors } = await openBroker(folder);
    await subscriber.subscribe("t.x", () => {});
    const before = proxy.accepted;
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect((await publisher.publish("t.x", { body: "x" }, { mandatory: true })).state).toBe("accepted");
    expect(proxy.accepted).toBe(before);
    expect(errors).toEqual([]);
  });
});

test("a queue's message is not given to another member while the process that has it lives", async () => {
  const folder = await registryFolder();
  const gate = deferred<void>();
  const { broker: receiver, proxy } = await proxiedBroker(folder);
  const heard: string[] = [];
  await receiver.subscribe(
    "t.x",
    (delivery) => {
      heard.push(`first ${delivery.attempt}`);
      return gate.promise;
    },
    { queue: "q" },
  );
  const { broker: sender } = await openBroker(folder);
  await sender.publish("t.x", { body: "x" });
  const { broker: other } = await openBroker(folder);
  await other.subscribe("t.x", (delivery) => void heard.push(`second ${delivery.attempt}`), { queue: "q" });
  for (let cut = 0; cut < 3; cut += 1) {
    const before = proxy.accepted;
    proxy.cut();
    await reconnected(proxy, before);
  }
  gate.resolve();
  await sender.flush({ signal: AbortSignal.timeout(15_000) });
  expect(heard).toEqual(["first 1"]);
});
