import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import type { DriverContext, SubscribeRequest } from "../../src/driver.ts";
import { classifyOperation } from "../../src/drivers/rabbitmq/classify.ts";
import type { Session } from "../../src/drivers/rabbitmq/session.ts";
import { RabbitmqSubscription, type SubscriptionParts } from "../../src/drivers/rabbitmq/subscription.ts";
import type { Topology } from "../../src/drivers/rabbitmq/topology.ts";
import type { BrokerError } from "../../src/errors.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { VirtualClock } from "../../src/testing/test-broker/virtual-clock.ts";

/** A channel that notes what is done on it. */
class FakeChannel extends EventEmitter {
  readonly calls: string[] = [];
  readonly #consuming: Promise<void>;

  constructor(consuming: Promise<void>) {
    super();
    this.#consuming = consuming;
  }

  async prefetch(): Promise<void> {}

  async consume(): Promise<{ consumerTag: string }> {
    this.calls.push("consume");
    await this.#consuming;
    return { consumerTag: "tag" };
  }

  async cancel(): Promise<void> {
    this.calls.push("cancel");
  }

  async close(): Promise<void> {
    this.calls.push("close");
  }
}

test.each(["before", "after"])(
  "one that is closed while it is put on a connection, %s it consumes, leaves nothing there",
  async (when) => {
    const channels: FakeChannel[] = [];
    const [declared, consuming] = [deferred<void>(), deferred<void>()];
    const session = {
      alive: true,
      async lastingChannel() {
        const channel = new FakeChannel(consuming.promise);
        channels.push(channel);
        return channel;
      },
    } as unknown as Session;
    const parts = {
      source: { queue: "q", own: false, countsDeaths: false, declare: () => declared.promise },
      context: { onError: () => {} } as unknown as DriverContext,
      session: () => undefined,
      topologyOf: () => ({}) as Topology,
    } as unknown as SubscriptionParts;
    const subscription = new RabbitmqSubscription({ pattern: "t", prefetch: 1 } as SubscribeRequest, parts);
    const attached = subscription.attach(session);
    if (when === "after") {
      declared.resolve();
      await vi.waitFor(() => expect(channels[0]?.calls).toEqual(["consume"]));
    }
    const closed = subscription.close();
    declared.resolve();
    consuming.resolve();
    await Promise.allSettled([attached, closed]);
    const calls = channels.flatMap((channel) => channel.calls);
    expect(calls.includes("consume")).toBe(when === "after");
    if (when === "after") expect(calls.at(-1)).toBe("close");
    else expect(channels).toEqual([]);
  },
);

test("one whose queue is on a node that is down says so once, and goes on when the node is back", async () => {
  // In the words of RabbitMQ 3.10.
  const said =
    "404 (NOT-FOUND) NOT_FOUND - home node 'one@localhost' of durable queue 'q' in vhost '/' is down or inaccessible";
  const channels: FakeChannel[] = [];
  const errors: BrokerError[] = [];
  const clock = new VirtualClock(0);
  let [down, tries] = [true, 0];
  const declare = async (): Promise<void> => {
    tries += 1;
    if (down) throw classifyOperation(Object.assign(new Error(said), { code: 404 }), 'the queue "q"');
  };
  const session = {
    alive: true,
    async lastingChannel() {
      channels.push(new FakeChannel(Promise.resolve()));
      return channels.at(-1);
    },
  } as unknown as Session;
  const parts = {
    source: { queue: "q", own: true, countsDeaths: false, declare },
    context: { onError: (error: BrokerError) => errors.push(error), clock } as unknown as DriverContext,
    session: () => session,
    topologyOf: () => ({}) as Topology,
  } as unknown as SubscriptionParts;
  const subscription = new RabbitmqSubscription({ pattern: "t", prefetch: 1 } as SubscribeRequest, parts);
  await subscription.reattach(session);
  const passing = (check: () => void): Promise<void> =>
    vi.waitFor(() => {
      clock.moveTo(clock.now() + 1_000);
      check();
    });
  await passing(() => expect(tries).toBeGreaterThan(4));
  expect(errors).toMatchObject([
    { code: "ERR_DRIVER", retryable: true, message: 'The node that holds the queue "q" is down.' },
  ]);
  down = false;
  await passing(() => expect(channels.map(({ calls }) => calls)).toEqual([["consume"]]));
  expect(errors).toHaveLength(1);
});

test.each([false, true])(
  "one whose queue cannot be removed, with the connection alive: %s, is closed, or says why",
  async (alive) => {
    const use = () => Promise.reject(new Error("it broke"));
    const parts = {
      source: { queue: "q", own: true, countsDeaths: false },
      session: () => ({ alive, use }) as unknown as Session,
    } as unknown as SubscriptionParts;
    const closing = new RabbitmqSubscription({ pattern: "t", prefetch: 1 } as SubscribeRequest, parts).close();
    await (alive ? expect(closing).rejects.toThrow("it broke") : closing);
  },
);
