import { describe, expect, test } from "vitest";
import { until } from "../../src/testing/conformance/until.ts";
import { registryFolder } from "./support/brokers.ts";
import { type Got, Worker } from "./support/worker.ts";

const FULL = process.env["TIDINGS_TEST_PROFILE"] === "full";

const numbers = (prefix: string, count: number, from = 0) =>
  Array.from({ length: count }, (_one, index) => `${prefix}${from + index}`);
const sorted = (texts: readonly string[]) => [...texts].sort();
const allOf = (workers: readonly Worker[], name: string) => workers.flatMap((worker) => worker.texts(name));

describe("a member killed with SIGKILL while it handles messages", () => {
  test("costs nothing: another gets them, those it held as attempt 2", async () => {
    const folder = await registryFolder();
    const victim = await Worker.connected(folder);
    await victim.ask("shut");
    await victim.subscribe("t.x", "q", { queue: "q", concurrency: 4 });
    const publisher = await Worker.connected(folder);
    const published = publisher.publish({ topic: "t.x", prefix: "m", count: 20 });
    await until(() => victim.got.length === 4, { what: "the victim had as much as it takes" });
    const survivor = await Worker.connected(folder);
    await survivor.subscribe("t.x", "q", { queue: "q" });
    victim.kill("SIGKILL");
    await victim.exited();
    await until(() => survivor.done.length >= 20, {
      what: "the survivor handled all",
      detail: () => survivor.describe(),
    });
    expect(await published).toEqual({ accepted: 20 });
    await publisher.ask("flush", { withinMs: 10_000 });
    const held = new Set(victim.texts("q"));
    expect(sorted(survivor.texts("q"))).toEqual(sorted(numbers("m", 20)));
    for (const { text, attempt } of survivor.got) expect([text, attempt]).toEqual([text, held.has(text) ? 2 : 1]);
  }, 60_000);

  test("under load: none is lost, and only what it held is handled again", async () => {
    const count = FULL ? 2_000 : 400;
    const folder = await registryFolder();
    const publisher = await Worker.connected(folder);
    const members = [await Worker.connected(folder), await Worker.connected(folder)];
    const [victim, survivor] = members as [Worker, Worker];
    for (const member of members) await member.subscribe("t.x", "q", { queue: "q", concurrency: 8 }, { workMs: 2 });
    const published = publisher.publish({ topic: "t.x", prefix: "m", count });
    await until(() => victim.done.length > count / 10, { what: "the victim was at work" });
    victim.kill("SIGKILL");
    await victim.exited();
    await published;
    await publisher.ask("flush", { withinMs: 20_000 });
    expect(new Set(allOf(members, "q"))).toEqual(new Set(numbers("m", count)));
    const finished = new Set(victim.done);
    const again = survivor.got.filter(({ text }) => victim.texts("q").includes(text));
    expect(again.length).toBeLessThanOrEqual(8 + 8);
    for (const { text, attempt } of again) expect([text, attempt]).toEqual([text, 2]);
    expect(survivor.texts("q").length).toBe(new Set(survivor.texts("q")).size);
    expect(finished.size + new Set(survivor.done).size).toBeGreaterThanOrEqual(count);
  }, 60_000);

  test("a broadcast subscriber that is killed keeps nobody else waiting, and what comes after it waits for the next", async () => {
    const folder = await registryFolder();
    const victim = await Worker.connected(folder);
    await victim.ask("shut");
    await victim.subscribe("t.x", "b", { concurrency: 2 });
    const publisher = await Worker.connected(folder);
    expect(await publisher.publish({ topic: "t.x", prefix: "m", count: 2, parallel: 1 })).toEqual({ accepted: 2 });
    victim.kill("SIGKILL");
    await victim.exited();
    // What was meant for the one that is gone is given up; then nothing is left.
    await publisher.ask("flush", { withinMs: 15_000 });
    expect(await publisher.publish({ topic: "t.x", prefix: "n", count: 3, parallel: 1 })).toEqual({ waiting: 3 });
    const next = await Worker.connected(folder);
    await next.subscribe("t.x", "b");
    await until(() => next.done.length === 3, {
      what: "the next subscriber got what waited",
      detail: () => next.describe(),
    });
    expect(next.texts("b")).toEqual(numbers("n", 3));
  }, 60_000);

  test("a message that kills its process each time ends as a dead letter", async () => {
    const folder = await registryFolder();
    const publisher = await Worker.connected(folder);
    const states = publisher.publish({ topic: "t.x", prefix: "poison", count: 1 });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const member = await Worker.connected(folder);
      await member.ask("shut");
      await member.subscribe("t.x", "q", { queue: "q", maxAttempts: 3 });
      await until(() => member.got.length === 1, { what: "the message came", detail: () => member.describe() });
      expect(member.got[0]?.attempt).toBe(attempt);
      member.kill("SIGKILL");
      await member.exited();
    }
    await states;
    const last = await Worker.connected(folder);
    await last.subscribe("t.x", "q", { queue: "q", maxAttempts: 3 });
    await last.subscribe("dlq.t.x", "dead");
    await until(() => last.texts("dead").length === 1, { what: "the dead letter came", detail: () => last.describe() });
    expect(last.texts("q")).toEqual([]);
    await publisher.ask("flush", { withinMs: 10_000 });
  }, 60_000);

  test("a message whose handler ends its process at once, each time, does so too", async () => {
    const folder = await registryFolder();
    const publisher = await Worker.connected(folder);
    await publisher.publish({ topic: "t.x", prefix: "poison", count: 1 });
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const member = await Worker.connected(folder);
      // It may end before it can answer.
      await member.subscribe("t.x", "q", { queue: "q", maxAttempts: 2 }, { exits: true }).catch(() => {});
      expect(await member.exited()).toBe(3);
    }
    const last = await Worker.connected(folder);
    await last.subscribe("dlq.t.x", "dead");
    await last.subscribe("t.x", "q", { queue: "q", maxAttempts: 2 });
    await until(() => last.texts("dead").length === 1, { what: "the dead letter came", detail: () => last.describe() });
    expect(last.texts("q")).toEqual([]);
  }, 60_000);
});

test("a subscriber started after the publisher gets what was published before, in order", async () => {
  const folder = await registryFolder();
  const publisher = await Worker.connected(folder);
  expect(await publisher.publish({ topic: "t.x", prefix: "m", count: 200 })).toEqual({ waiting: 200 });
  const subscriber = await Worker.connected(folder);
  await subscriber.subscribe("t.*", "late", { concurrency: 1 });
  expect(await publisher.publish({ topic: "t.x", prefix: "m", count: 50, from: 200 })).toEqual({ accepted: 50 });
  await publisher.ask("flush", { withinMs: 15_000 });
  expect(subscriber.texts("late")).toEqual(numbers("m", 250));
  expect(subscriber.got.every(({ attempt }) => attempt === 1)).toBe(true);
}, 60_000);

test("many messages from 4 publishers to 3 queue members and 2 broadcast subscribers: none lost, doubled or cross-delivered", async () => {
  const perPublisher = 2_500;
  const folder = await registryFolder();
  const patient = { acceptTimeoutMs: 60_000 };
  const workers = await Promise.all(Array.from({ length: 9 }, () => Worker.connected(folder, {}, patient)));
  const [members, broadcasts, publishers] = [workers.slice(0, 3), workers.slice(3, 5), workers.slice(5)];
  await Promise.all([
    ...members.map((member) => member.subscribe("load.queue", "q", { queue: "q" })),
    ...broadcasts.map((broadcast) => broadcast.subscribe("load.all", "b")),
  ]);
  const half = perPublisher / 2;
  const states = await Promise.all(
    publishers.flatMap((publisher, index) => [
      publisher.publish({ topic: "load.queue", prefix: `${index}q`, count: half }),
      publisher.publish({ topic: "load.all", prefix: `${index}b`, count: half }),
    ]),
  );
  expect(states).toEqual(states.map(() => ({ accepted: half })));
  await Promise.all(publishers.map((publisher) => publisher.ask("flush", { withinMs: 60_000 })));
  const queued = sorted(publishers.flatMap((_one, index) => numbers(`${index}q`, half)));
  const toAll = sorted(publishers.flatMap((_one, index) => numbers(`${index}b`, half)));
  expect(sorted(allOf(members, "q"))).toEqual(queued);
  for (const broadcast of broadcasts) expect(sorted(broadcast.texts("b"))).toEqual(toAll);
  for (const worker of workers) {
    expect(
      worker.got.every(
        ({ attempt, topic, name }: Got) => attempt === 1 && topic === (name === "q" ? "load.queue" : "load.all"),
      ),
    ).toBe(true);
    expect(worker.errors).toEqual([]);
  }
  for (const member of members) expect(member.got.length).toBeGreaterThan(0);
}, 240_000);

test("3 publishers and 3 subscribers that start at the same time: what is published after subscribe resolved is received", async () => {
  const folder = await registryFolder();
  const workers = await Promise.all(Array.from({ length: 6 }, () => Worker.start(folder)));
  const [publishers, subscribers] = [workers.slice(0, 3), workers.slice(3)];
  const from = new Map<Worker, number[]>();
  const next = [0, 0, 0];
  let subscribed = 0;
  const publishing = publishers.map(async (publisher, index) => {
    await publisher.connect();
    while (subscribed < subscribers.length) {
      await publisher.publish({ topic: "t.x", prefix: `${index}-`, count: 1, from: next[index] as number });
      next[index] = (next[index] ?? 0) + 1;
    }
    const at = next[index] as number;
    await publisher.publish({ topic: "t.x", prefix: `${index}-`, count: 30, from: at });
    next[index] = at + 30;
  });
  const subscribing = subscribers.map(async (subscriber) => {
    await subscriber.connect();
    await subscriber.subscribe("t.x", "s");
    // A publish that was on its way at this moment may count as before; the one after it may not.
    from.set(
      subscriber,
      next.map((n) => n + 1),
    );
    subscribed += 1;
  });
  await Promise.all([...publishing, ...subscribing]);
  await Promise.all(publishers.map((publisher) => publisher.ask("flush", { withinMs: 20_000 })));
  for (const subscriber of subscribers) {
    const texts = subscriber.texts("s");
    expect(new Set(texts).size).toBe(texts.length);
    for (const [index, first] of (from.get(subscriber) ?? []).entries()) {
      const wanted = numbers(`${index}-`, Math.max(0, (next[index] as number) - first), first);
      expect(texts).toEqual(expect.arrayContaining(wanted));
    }
  }
}, 60_000);

describe("a member stopped with SIGSTOP", () => {
  test("keeps nobody else from working, and loses nothing when it goes on", async () => {
    const folder = await registryFolder();
    const publisher = await Worker.connected(folder, {}, { acceptTimeoutMs: 500 });
    const [sleeper, awake] = [await Worker.connected(folder), await Worker.connected(folder)];
    for (const member of [sleeper, awake]) await member.subscribe("t.x", "q", { queue: "q", concurrency: 4 });
    await awake.subscribe("t.x", "b");
    await publisher.publish({ topic: "t.x", prefix: "m", count: 50 });
    await publisher.ask("flush", { withinMs: 10_000 });
    sleeper.kill("SIGSTOP");
    await publisher.publish({ topic: "t.x", prefix: "n", count: 50 });
    // All but what was on its way to the sleeper is handled, although that one sleeps on.
    await until(
      () => awake.texts("b").length === 100 && new Set([...awake.texts("q"), ...sleeper.texts("q")]).size >= 99,
      {
        what: "the others went on",
        detail: () => awake.describe(),
      },
    );
    sleeper.kill("SIGCONT");
    await publisher.ask("flush", { withinMs: 20_000 });
    expect(new Set(allOf([sleeper, awake], "q"))).toEqual(new Set([...numbers("m", 50), ...numbers("n", 50)]));
    // What the sleeper was offered while it slept may have gone to the other as well; nobody handles anything twice.
    for (const member of [sleeper, awake]) expect(new Set(member.texts("q")).size).toBe(member.texts("q").length);
    expect(awake.texts("b")).toEqual([...numbers("m", 50), ...numbers("n", 50)]);
  }, 60_000);

  test("keeps no message of its queue from the other members, though it slept on its connections", async () => {
    const folder = await registryFolder();
    const publisher = await Worker.connected(folder, {}, { acceptTimeoutMs: 100 });
    const [sleeper, awake] = [await Worker.connected(folder), await Worker.connected(folder)];
    for (const member of [sleeper, awake]) await member.subscribe("t.x", "q", { queue: "q", concurrency: 4 });
    await publisher.publish({ topic: "t.x", prefix: "m", count: 50 });
    await publisher.ask("flush", { withinMs: 10_000 });
    sleeper.kill("SIGSTOP");
    await publisher.publish({ topic: "t.x", prefix: "n", count: 10 });
    await until(() => numbers("n", 10).every((text) => awake.texts("q").includes(text)), {
      what: "the other member got them all",
      deadlineMs: 20_000,
      detail: () => awake.describe(),
    });
  }, 60_000);

  test("handles what it was sent twice once, when it goes on before its sender has given it up for another", async () => {
    const folder = await registryFolder();
    const publisher = await Worker.connected(folder, {}, { acceptTimeoutMs: 100 });
    const sleeper = await Worker.connected(folder);
    await sleeper.subscribe("t.x", "s", { concurrency: 2 });
    await publisher.publish({ topic: "t.x", prefix: "m", count: 4 });
    await publisher.ask("flush", { withinMs: 10_000 });
    sleeper.kill("SIGSTOP");
    await publisher.publish({ topic: "t.x", prefix: "n", count: 3 });
    // The first was sent, given up, and is on its way again.
    await until(() => publisher.errors.length > 0, { what: "the sender's patience ended", deadlineMs: 20_000 });
    sleeper.kill("SIGCONT");
    await publisher.ask("flush", { withinMs: 20_000 });
    expect(sleeper.texts("s")).toEqual([...numbers("m", 4), ...numbers("n", 3)]);
    expect(sleeper.got.every(({ attempt }) => attempt === 1)).toBe(true);
  }, 60_000);

  test("does not hold up others' subscribe, unsubscribe and disconnect for long", async () => {
    const folder = await registryFolder();
    const sleeper = await Worker.connected(folder);
    await sleeper.subscribe("t.x", "s");
    sleeper.kill("SIGSTOP");
    const other = await Worker.connected(folder);
    await other.subscribe("t.y", "o");
    expect(await other.publish({ topic: "t.y", prefix: "m", count: 1 })).toEqual({ accepted: 1 });
    await until(() => other.done.length === 1, { what: "the message was handled" });
    await other.ask("disconnect");
    await other.ask("leave");
    expect(await other.exited()).toBe(0);
  }, 60_000);
});

describe("a process", () => {
  test("ends by itself after disconnect", async () => {
    const folder = await registryFolder();
    const [one, two] = [await Worker.connected(folder), await Worker.connected(folder)];
    await one.subscribe("t.x", "s");
    await one.subscribe("t.x", "q", { queue: "q" });
    await two.publish({ topic: "t.x", prefix: "m", count: 50 });
    await two.publish({ topic: "t.unwanted", prefix: "m", count: 5 });
    await expect(two.ask("disconnect")).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 5 });
    await two.ask("leave");
    expect(await two.exited()).toBe(0);
    await one.ask("disconnect");
    await one.ask("leave");
    expect(await one.exited()).toBe(0);
    expect(one.got.length).toBe(100);
  }, 60_000);

  test("ends by itself after disconnect although its messages are in the hands of others, which it counts", async () => {
    const folder = await registryFolder();
    const holder = await Worker.connected(folder);
    await holder.ask("shut");
    await holder.subscribe("t.x", "q", { queue: "q", concurrency: 3 });
    const publisher = await Worker.connected(folder, {}, { acceptTimeoutMs: 100, drainTimeoutMs: 500 });
    await publisher.publish({ topic: "t.x", prefix: "m", count: 10 });
    await until(() => holder.got.length === 3, { what: "the holder had as much as it takes" });
    await expect(publisher.ask("disconnect")).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 10 });
    await publisher.ask("leave");
    expect(await publisher.exited()).toBe(0);
    await holder.ask("open");
    await holder.ask("disconnect");
    await holder.ask("leave");
    expect(await holder.exited()).toBe(0);
  }, 60_000);

  test("ends by itself after disconnect although it was on its way to one that sleeps", async () => {
    const folder = await registryFolder();
    const sleeper = await Worker.connected(folder);
    await sleeper.subscribe("t.x", "s");
    const publisher = await Worker.connected(folder, {}, { acceptTimeoutMs: 100, drainTimeoutMs: 300 });
    sleeper.kill("SIGSTOP");
    expect(await publisher.publish({ topic: "t.x", prefix: "m", count: 2 })).toEqual({ waiting: 2 });
    await expect(publisher.ask("disconnect")).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 2 });
    const startedAt = performance.now();
    await publisher.ask("leave");
    expect(await publisher.exited()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  }, 60_000);

  test.each([
    ["a member", 0],
    ["a publisher", 1],
  ])(
    "that is %s and gets SIGTERM under load loses nothing",
    async (_name, which) => {
      const count = 300;
      const folder = await registryFolder();
      const members = [await Worker.connected(folder), await Worker.connected(folder)];
      for (const member of members) await member.subscribe("t.x", "q", { queue: "q", concurrency: 4 }, { workMs: 2 });
      const publisher = await Worker.connected(folder);
      const published = publisher.publish({ topic: "t.x", prefix: "m", count });
      const target = which === 0 ? (members[0] as Worker) : publisher;
      await until(() => (members[0]?.done.length ?? 0) > 20, { what: "the members were at work" });
      if (which === 1) await published;
      target.kill("SIGTERM");
      expect(await target.exited()).toBe(0);
      expect(target.terminated?.code).toBeUndefined();
      if (which === 0) {
        await published;
        await publisher.ask("flush", { withinMs: 20_000 });
      }
      expect(sorted(allOf(members, "q"))).toEqual(sorted(numbers("m", count)));
      expect(members.flatMap(({ got }) => got).every(({ attempt }) => attempt === 1)).toBe(true);
    },
    60_000,
  );

  test("that publishes while it disconnects is told what became of each message", async () => {
    const folder = await registryFolder();
    const member = await Worker.connected(folder);
    await member.subscribe("t.x", "q", { queue: "q" }, { workMs: 1 });
    const publisher = await Worker.connected(folder);
    const published = publisher.publish({ topic: "t.x", prefix: "m", count: 500, parallel: 16 });
    await until(() => member.done.length > 20, { what: "the member was at work" });
    const failure = await publisher.ask("disconnect").then(
      () => undefined,
      (error: { code?: string; count?: number }) => error,
    );
    const states = await published;
    await until(() => member.got.length === member.done.length, { what: "the member was idle" });
    const { accepted = 0, ERR_NOT_CONNECTED: refused = 0, ...others } = states;
    expect(others).toEqual({});
    expect(accepted + refused).toBe(500);
    expect(failure).toBeUndefined();
    expect(sorted(member.texts("q"))).toEqual(sorted(numbers("m", accepted)));
  }, 60_000);
});
