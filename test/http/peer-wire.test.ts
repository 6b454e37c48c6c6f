import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { SubscribeOptions } from "../../src/broker-options.ts";
import type { Handler } from "../../src/delivery.ts";
import type { Outcome } from "../../src/driver.ts";
import { RemoteMessage } from "../../src/drivers/http/remote-delivery.ts";
import { FRAME, GOODBYE } from "../../src/drivers/http/wire/frames.ts";
import { writeSettled } from "../../src/drivers/http/wire/outcome-frame.ts";
import { writeAnnouncement } from "../../src/drivers/http/wire/subscribe-frame.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { attacked } from "./support/attacked.ts";
import { WirePeer } from "./support/wire-peer.ts";

/** A broker with one subscription, and a hand-made peer that sends to it. */
async function receiver(handler: Handler, options: SubscribeOptions = {}) {
  const given = await attacked({}, 1_000_000, handler, options);
  return { ...given, peer: await given.trusted() };
}

describe("what a receiver says of a message:", () => {
  test.each<[string, object, Handler, SubscribeOptions]>([
    ["ack", { kind: "ack" }, () => {}, {}],
    [
      "retry, with its delay",
      { kind: "retry", delayMs: 1_234, attempt: 2, firstFailureAt: expect.any(Number) },
      (delivery) => delivery.nack({ delayMs: 1_234 }),
      { autoAck: false },
    ],
    [
      "retry after an error",
      { kind: "retry", delayMs: expect.any(Number), attempt: 2, firstFailureAt: expect.any(Number) },
      () => {
        throw new Error("no");
      },
      {},
    ],
    [
      "dead, with where to and why",
      {
        kind: "dead",
        to: "dlq.t.x",
        reason: "bad",
        attempts: 1,
        firstAt: expect.any(Number),
        lastAt: expect.any(Number),
      },
      (delivery) => delivery.reject("bad"),
      { autoAck: false },
    ],
    [
      "dead, to a topic of its own",
      {
        kind: "dead",
        to: "graves",
        reason: "no",
        attempts: 1,
        firstAt: expect.any(Number),
        lastAt: expect.any(Number),
      },
      () => {
        throw new Error("no");
      },
      { maxAttempts: 1, deadLetter: "graves" },
    ],
    [
      "dead, to nowhere",
      { kind: "dead", to: false, reason: "bad", attempts: 1, firstAt: expect.any(Number), lastAt: expect.any(Number) },
      (delivery) => delivery.reject("bad"),
      { autoAck: false, deadLetter: false },
    ],
  ])("%s", async (_name, outcome, handler, options) => {
    const { peer } = await receiver(handler, options);
    expect(await peer.outcome(await peer.deliver(0))).toEqual(outcome);
  });

  test("that it has it, before the handler has ended, and the rest when it has", async () => {
    const gate = deferred<void>();
    const { peer } = await receiver(() => gate.promise);
    const number = await peer.deliver(0);
    await until(() => peer.received === number, { what: "it was received" });
    expect([peer.done, peer.settled]).toEqual([[], []]);
    gate.resolve();
    expect(await peer.outcome(number)).toEqual({ kind: "ack" });
  });

  test("with the attempts and the first failure that the sender knows", async () => {
    const { peer } = await receiver(
      () => {
        throw new Error("no");
      },
      { maxAttempts: 5 },
    );
    const fourth = await peer.deliver(0, { attempt: 4, firstFailureAt: 777 });
    expect(await peer.outcome(fourth)).toMatchObject({ kind: "retry", attempt: 5, firstFailureAt: 777 });
    const fifth = await peer.deliver(0, { attempt: 5, firstFailureAt: 777 });
    expect(await peer.outcome(fifth)).toMatchObject({ kind: "dead", attempts: 5, firstAt: 777 });
  });

  test("dead at once when no attempt is left, without starting the handler", async () => {
    const { peer, heard } = await receiver(() => {}, { maxAttempts: 3 });
    expect(await peer.outcome(await peer.deliver(0, { attempt: 4 }))).toMatchObject({ kind: "dead", attempts: 3 });
    expect(heard).toEqual([]);
  });

  test("released, what was not started when the subscription ends, and what comes after", async () => {
    const gate = deferred<void>();
    const { peer, broker } = await receiver(() => gate.promise);
    const leaving = await broker.subscribe("t.y", () => gate.promise, { concurrency: 1, prefetch: 2 });
    await until(() => peer.subscriptions.length === 2, { what: "it was told of the second" });
    const running = await peer.deliver(1, { topic: "t.y" });
    const waiting = await peer.deliver(1, { topic: "t.y" });
    await until(() => peer.received === waiting, { what: "both were received" });
    const left = leaving.unsubscribe();
    expect((await peer.frame(FRAME.unsubscribe)).number()).toBe(1);
    const late = peer.deliverNow(1, { topic: "t.y" });
    expect(await peer.outcome(late)).toEqual({ kind: "release" });
    expect(await peer.outcome(waiting)).toEqual({ kind: "release" });
    gate.resolve();
    expect(await peer.outcome(running)).toEqual({ kind: "ack" });
    await left;
  });

  test("released, for a subscription or a topic that there is not", async () => {
    const { peer, heard } = await receiver(() => {});
    await peer.sync();
    expect(await peer.outcome(peer.deliverNow(7))).toEqual({ kind: "release" });
    expect(await peer.outcome(peer.deliverNow(0, { topic: "t.y" }))).toEqual({ kind: "release" });
    expect(heard).toEqual([]);
  });

  test("one by one or many at once, each number once", async () => {
    const { peer, heard } = await receiver(() => {}, { concurrency: 64 });
    const numbers: number[] = [];
    for (let n = 0; n < 200; n += 1) numbers.push(await peer.deliver(0, { body: String(n) }));
    await until(() => peer.done.length === 200, { what: "all were acknowledged", detail: () => peer.describe() });
    expect(peer.done).toEqual(numbers);
    expect(heard).toEqual(numbers.map((_number, index) => String(index)));
  });
});

describe("places", () => {
  test("are granted within the prefetch, and again when a message is settled", async () => {
    const gate = deferred<void>();
    const { peer } = await receiver(() => gate.promise, { concurrency: 2, prefetch: 3 });
    peer.send((writer) => writer.numbers(FRAME.want, 0));
    await until(() => peer.granted === 3, { what: "all places were granted", detail: () => peer.describe() });
    for (let n = 0; n < 3; n += 1) peer.deliverNow(0);
    peer.send((writer) => writer.numbers(FRAME.want, 0));
    await peer.sync();
    expect(peer.granted).toBe(0);
    gate.resolve();
    await until(() => peer.granted === 3, { what: "they were granted again", detail: () => peer.describe() });
  });

  test("that were not granted cost the connection when they are used", async () => {
    const { peer, survived } = await receiver(() => {}, { prefetch: 1, concurrency: 1 });
    peer.deliverNow(0, { body: "attack" });
    expect(await peer.closed()).toMatchObject({ code: GOODBYE.violation });
    await survived();
  });

  test("of one that does not use them go to another who asks", async () => {
    const { peer: idle, trusted } = await receiver(() => {}, { prefetch: 1, concurrency: 1 });
    idle.send((writer) => writer.numbers(FRAME.want, 0));
    await until(() => idle.granted === 1, { what: "the first had the only place" });
    const eager = await trusted();
    eager.send((writer) => writer.numbers(FRAME.want, 0));
    expect((await idle.frame(FRAME.recall)).number()).toBe(0);
    idle.send((writer) => writer.numbers(FRAME.giveBack, 0, 1));
    await until(() => eager.granted === 1, { what: "the other got it" });
  });

  test("of one that does not answer count as free after a while; its message waits then", async () => {
    const gate = deferred<void>();
    const { peer: asleep, trusted, heard } = await receiver(() => gate.promise, { prefetch: 1, concurrency: 1 });
    asleep.send((writer) => writer.numbers(FRAME.want, 0));
    await until(() => asleep.granted === 1, { what: "the first had the only place" });
    const eager = await trusted();
    await eager.deliver(0, { body: "eager" });
    await until(() => heard.length === 1, { what: "the other's message was handled" });
    const late = asleep.deliverNow(0, { body: "late" });
    await asleep.sync();
    expect(heard).toEqual(["eager"]);
    gate.resolve();
    expect(await asleep.outcome(late)).toEqual({ kind: "ack" });
    expect(heard).toEqual(["eager", "late"]);
  });
});

describe("after a cut, on the next connection of the same peer,", () => {
  test("the receiver says what it holds, and the rest when its handlers have ended", async () => {
    const gate = deferred<void>();
    const { peer, trusted, heard } = await receiver(() => gate.promise);
    const number = await peer.deliver(0, { body: "once" });
    await until(() => peer.received === number, { what: "it was received" });
    peer.connection.socket.destroy();
    const back = await trusted({ peerId: peer.peerId, lastNumber: number });
    expect([back.holding, back.received]).toEqual([[number], number]);
    gate.resolve();
    expect(await back.outcome(number)).toEqual({ kind: "ack" });
    expect(heard).toEqual(["once"]);
  });

  test("the receiver tells outcomes again that were not confirmed, and those only", async () => {
    const { peer, trusted } = await receiver((delivery) => {
      if (delivery.text() === "fails") throw new Error("no");
    });
    const first = await peer.deliver(0);
    await peer.outcome(first);
    peer.send((writer) => writer.numbers(FRAME.heard, 1));
    const second = await peer.deliver(0);
    await peer.outcome(second);
    const third = await peer.deliver(0, { body: "fails" });
    await peer.outcome(third);
    peer.connection.socket.destroy();
    const back = await trusted({ peerId: peer.peerId, lastNumber: third });
    expect([back.done, back.settled.map(({ number }) => number), back.holding]).toEqual([[second], [third], []]);
    // What was granted is void: nothing is granted by an outcome of before.
    expect(back.granted).toBe(0);
  });

  test("a message that came and was not confirmed is handled once, though its sender may not say so", async () => {
    const { peer, heard, survived } = await receiver(() => {});
    const number = await peer.deliver(0, { body: "1" });
    await peer.outcome(number);
    // A number that was used is no new message.
    peer.send((writer) => {
      const content = { topic: "t.x", id: "i", key: undefined, header: {}, body: Buffer.from("1"), bytes: 1 };
      writer.message(number, 0, content, 1, undefined);
    });
    expect(await peer.closed()).toMatchObject({ code: GOODBYE.violation });
    expect(heard).toEqual(["1"]);
    await survived();
  });
});

/** A hand-made peer with a subscription, and a broker that publishes to it. */
async function sender(options: { places?: number; maxMessageBytes?: number; queue?: string } = {}) {
  const { broker, address, secret, ...rest } = await attacked();
  const peerId = randomUUID();
  const dial = async () => {
    const opened = await WirePeer.open(address, secret, {
      peerId,
      maxMessageBytes: options.maxMessageBytes ?? 1_000_000,
    });
    await until(() => opened.isReady, { what: "the broker had told everything" });
    return opened;
  };
  const subscribe = (peer: WirePeer) =>
    peer.send((writer) => {
      const announcement = { index: 3, id: "hand-made", pattern: "u.>", queue: options.queue, ackTimeoutMs: 30_000 };
      writeAnnouncement(writer, announcement);
      writer.numbers(FRAME.ready);
      if (options.places !== 0) writer.numbers(FRAME.grant, 3, options.places ?? 10);
    });
  const peer = await dial();
  subscribe(peer);
  await peer.sync();
  return { broker, peer, dial, subscribe, ...rest };
}

/** The same with a second subscription of the peer, which wants everything that the first does. */
async function senderToTwo() {
  const opened = await sender();
  opened.peer.send((writer) => {
    const announcement = { index: 4, id: "another", pattern: "u.*", queue: undefined, ackTimeoutMs: 30_000 };
    writeAnnouncement(writer, announcement);
    writer.numbers(FRAME.grant, 4, 10);
  });
  await opened.peer.sync();
  return opened;
}

/** The messages that came to a hand-made peer, as it reads them. */
function messagesOf(peer: WirePeer): { number: number; subscription: number; text: string; message: RemoteMessage }[] {
  const topics = new Map<number, string>();
  let last: RemoteMessage | undefined;
  return peer.came.flatMap(({ type, reader }) => {
    const own = reader.over(reader.bytes, 0, reader.end);
    if (type === FRAME.topic) topics.set(own.number(), own.restText());
    if (type !== FRAME.message && type !== FRAME.also) return [];
    const [number, subscription] = [own.number(), own.number()];
    if (type === FRAME.message) last = new RemoteMessage(topics.get(own.number()) ?? "", own);
    const message = last as RemoteMessage;
    return [{ number, subscription, text: Buffer.from(message.body).toString(), message }];
  });
}

const settle = (peer: WirePeer, number: number, outcome: Outcome) =>
  peer.send((writer) => writeSettled(writer, { number, outcome, returned: true }));

describe("what a sender sends", () => {
  test("is the message as published, with nothing added", async () => {
    const { broker, peer } = await sender();
    const header = { a: "1<&>", ["__proto__"]: "2" };
    const published = broker.publish("u.grün", { header, body: "hello" }, { id: "id 1/ü", key: "k%" });
    const [{ number, subscription, message }] = (await until(() => messagesOf(peer).length === 1 && messagesOf(peer), {
      what: "the message came",
    })) as ReturnType<typeof messagesOf> & [ReturnType<typeof messagesOf>[0]];
    expect(subscription).toBe(3);
    const { topic, id, key, attempt, firstFailureAt } = message;
    expect({ topic, id, key, attempt, firstFailureAt }).toEqual({
      topic: "u.grün",
      id: "id 1/ü",
      key: "k%",
      attempt: 1,
      firstFailureAt: undefined,
    });
    expect(Object.entries(message.header)).toEqual(Object.entries(header));
    expect(Buffer.from(message.body).toString()).toBe("hello");
    peer.send((writer) => writer.numbers(FRAME.received, number));
    expect((await published).state).toBe("accepted");
    settle(peer, number, { kind: "ack" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });

  test("is one message for several subscriptions of a process, and a word for each more", async () => {
    const { broker, peer } = await senderToTwo();
    void broker.publish("u.x", { body: "x".repeat(1_000) });
    await until(() => messagesOf(peer).length === 2, { what: "both were sent" });
    expect(peer.came.map(({ type }) => type).filter((type) => type === FRAME.message || type === FRAME.also)).toEqual([
      FRAME.message,
      FRAME.also,
    ]);
    expect(messagesOf(peer).map(({ subscription }) => subscription)).toEqual([3, 4]);
    for (const { number } of messagesOf(peer)) settle(peer, number, { kind: "ack" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });

  test("is one message for several subscriptions of a process, also where many are published at once", async () => {
    const { broker, peer } = await senderToTwo();
    for (const body of ["a", "b", "c"]) void broker.publish("u.x", { body });
    await until(() => messagesOf(peer).length === 6, { what: "all were sent" });
    expect(peer.came.filter(({ type }) => type === FRAME.message).length).toBe(3);
    expect(messagesOf(peer).map(({ subscription, text }) => `${text}${subscription}`)).toEqual(
      ["a", "b", "c"].flatMap((text) => [`${text}3`, `${text}4`]),
    );
    for (const { number } of messagesOf(peer)) settle(peer, number, { kind: "ack" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });

  test("is no more than there are places for; it asks for more, and goes on in order", async () => {
    const { broker, peer } = await sender({ places: 2 });
    for (let n = 0; n < 5; n += 1) void broker.publish("u.x", { body: String(n) });
    await peer.frame(FRAME.want);
    await peer.sync();
    expect(messagesOf(peer).map(({ text }) => text)).toEqual(["0", "1"]);
    peer.send((writer) => writer.numbers(FRAME.grant, 3, 2));
    await until(() => messagesOf(peer).length === 4, { what: "two more came" });
    for (const { number } of messagesOf(peer)) settle(peer, number, { kind: "ack" });
    await until(() => messagesOf(peer).length === 5, { what: "the last came" });
    expect(messagesOf(peer).map(({ text }) => text)).toEqual(["0", "1", "2", "3", "4"]);
    settle(peer, messagesOf(peer)[4]?.number ?? 0, { kind: "ack" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });

  test("comes again after the delay, with the attempt and the time of the answer", async () => {
    const { broker, peer } = await sender();
    void broker.publish("u.x", { body: "hello" });
    await until(() => messagesOf(peer).length === 1, { what: "it came" });
    settle(peer, messagesOf(peer)[0]?.number ?? 0, { kind: "retry", delayMs: 30, attempt: 2, firstFailureAt: 5 });
    await until(() => messagesOf(peer).length === 2, { what: "it came again" });
    expect(messagesOf(peer)[1]?.message).toMatchObject({ attempt: 2, firstFailureAt: 5 });
    settle(peer, messagesOf(peer)[1]?.number ?? 0, { kind: "ack" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });

  test("is not more than the receiver takes: such a message becomes a dead letter", async () => {
    const { broker, peer } = await sender({ maxMessageBytes: 100 });
    await broker.publish("u.x", { body: "x".repeat(101) });
    await until(async () => (await broker.deadLetters.list("dlq.u.x")).length === 1, { what: "it was a dead letter" });
    expect((await broker.deadLetters.list("dlq.u.x"))[0]?.reason).toContain("no message of more than 100 bytes");
    expect(messagesOf(peer)).toEqual([]);
  });

  test("after a cut is what the receiver does not have, in order, and costs no attempt", async () => {
    const { broker, peer, dial, subscribe } = await sender();
    const states = Promise.all(["0", "1", "2"].map((body) => broker.publish("u.x", { body })));
    await until(() => messagesOf(peer).length === 3, { what: "all came" });
    const [first, , third] = messagesOf(peer).map(({ number }) => number);
    peer.connection.socket.destroy();
    const back = await dial();
    back.send((writer) => {
      writer.numbers(FRAME.received, third);
      writer.ranges(FRAME.holding, [first ?? 0], 0, 1);
    });
    subscribe(back);
    await until(() => messagesOf(back).length === 2, { what: "two came again" });
    expect(messagesOf(back).map(({ text, message }) => [text, message.attempt])).toEqual([
      ["1", 1],
      ["2", 1],
    ]);
    back.send((writer) => writer.numbers(FRAME.received, messagesOf(back)[1]?.number));
    expect((await states).map(({ state }) => state)).toEqual(["accepted", "accepted", "accepted"]);
    for (const number of [first ?? 0, ...messagesOf(back).map((one) => one.number)])
      settle(back, number, { kind: "ack" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });

  test("confirms what it has heard of outcomes", async () => {
    const { broker, peer } = await sender();
    void broker.publish("u.x", {});
    await until(() => messagesOf(peer).length === 1, { what: "it came" });
    settle(peer, messagesOf(peer)[0]?.number ?? 0, { kind: "ack" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
    await peer.sync();
    expect((await peer.frame(FRAME.heard)).number()).toBe(1);
  });

  test.each<[string, (peer: WirePeer) => void]>([
    ["an outcome of a message that was never sent", (peer) => settle(peer, 99, { kind: "ack" })],
    ["more received than sent", (peer) => peer.send((writer) => writer.numbers(FRAME.received, 99))],
    ["places of no subscription", (peer) => peer.send((writer) => writer.numbers(FRAME.grant, 99, 5))],
    ["the end of no subscription", (peer) => peer.send((writer) => writer.numbers(FRAME.unsubscribe, 99))],
    ["a recall of no subscription", (peer) => peer.send((writer) => writer.numbers(FRAME.recall, 99))],
    ["an answer to no call", (peer) => peer.send((writer) => writer.numbers(FRAME.answer, 99, 0))],
    ["an answer to no ping", (peer) => peer.send((writer) => writer.numbers(FRAME.pong, 99))],
  ])("goes on after %s, or the connection is closed", async (_name, answer) => {
    const { peer, survived } = await sender();
    answer(peer);
    await survived();
  });
});

test("a peer that grants places before it has told everything costs its connection, and no message", async () => {
  const { broker, address, secret, survived } = await attacked();
  const peer = await WirePeer.open(address, secret);
  await until(() => peer.isReady, { what: "the broker had told everything" });
  const taken: string[] = [];
  await broker.createQueue("u.x", "q");
  await broker.publish("u.x", { body: "1" });
  peer.send((writer) => {
    writeAnnouncement(writer, { index: 3, id: "hasty", pattern: "u.x", queue: "q", ackTimeoutMs: 30_000 });
    writer.numbers(FRAME.grant, 3, 10);
  });
  expect(await peer.closed()).toMatchObject({ code: GOODBYE.violation });
  await broker.subscribe("u.x", (delivery) => void taken.push(delivery.text()), { queue: "q" });
  await broker.publish("u.x", { body: "2" });
  await until(() => taken.length === 2, { what: "both arrived", detail: () => taken.join() });
  expect(taken).toEqual(["1", "2"]);
  await survived();
});

test("a peer that says goodbye is gone with its subscriptions", async () => {
  const { broker, peer } = await sender();
  const reached = broker.publish("u.x", {}, { mandatory: true });
  await until(() => messagesOf(peer).length === 1, { what: "it was reached before" });
  peer.send((writer) => {
    writer.begin(FRAME.goodbye, 1);
    writer.byte(GOODBYE.leaving);
    writer.finish();
  });
  await peer.closed();
  await reached;
  await expect(broker.publish("u.x", {}, { mandatory: true })).rejects.toMatchObject({ code: "ERR_NO_SUBSCRIBERS" });
});
