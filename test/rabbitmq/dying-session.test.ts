import { EventEmitter } from "node:events";
import type { Channel } from "amqplib";
import { describe, expect, test } from "vitest";
import { Names } from "../../src/drivers/rabbitmq/names.ts";
import { QueueLocks } from "../../src/drivers/rabbitmq/queue-locks.ts";
import { closeChannel, type Session } from "../../src/drivers/rabbitmq/session.ts";
import { VirtualClock } from "../../src/testing/test-broker/virtual-clock.ts";

/** The parts of a connection that a lock needs. */
function fakeSession(): Session {
  const channel = { assertQueue: async () => {}, deleteQueue: async () => {} };
  const run = (work: (channel: unknown) => Promise<unknown>) => work(channel);
  const session = { alive: true, attempt: run, use: (_what: string, work: typeof run) => run(work as never) };
  return session as unknown as Session;
}

describe("a connection that dies", () => {
  test("while a channel is being closed closes it: the client itself never answers", async () => {
    const channel = Object.assign(new EventEmitter(), { close: () => new Promise<void>(() => {}) });
    const closed = closeChannel(channel as unknown as Channel);
    channel.emit("close");
    await closed;
    expect(channel.listenerCount("close")).toBe(0);
  });

  test("with work on a queue does not hold up the next one", async () => {
    const locks = new QueueLocks(new Names("p"), new VirtualClock(0));
    void locks.hold(fakeSession(), "q", () => new Promise(() => {}));
    expect(await locks.hold(fakeSession(), "q", async () => "done")).toBe("done");
  });

  test("one connection works on a queue once at a time", async () => {
    const locks = new QueueLocks(new Names("p"), new VirtualClock(0));
    const [session, order] = [fakeSession(), [] as string[]];
    const work = (name: string) => async () => {
      order.push(`${name} begins`);
      await Promise.resolve();
      order.push(`${name} ends`);
    };
    await Promise.all([locks.hold(session, "q", work("one")), locks.hold(session, "q", work("two"))]);
    expect(order).toEqual(["one begins", "one ends", "two begins", "two ends"]);
  });
});
