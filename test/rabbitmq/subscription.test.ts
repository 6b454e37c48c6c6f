import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import type { DriverContext, SubscribeRequest } from "../../src/driver.ts";
import type { Session } from "../../src/drivers/rabbitmq/session.ts";
import { RabbitmqSubscription, type SubscriptionParts } from "../../src/drivers/rabbitmq/subscription.ts";
import type { Topology } from "../../src/drivers/rabbitmq/topology.ts";
import { deferred } from "../../src/internal/deferred.ts";

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
