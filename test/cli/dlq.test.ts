import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import type { FakeTerminalOptions } from "./fake-terminal.ts";
import { type CommandResult, runCommand } from "./in-process.ts";

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

// The commands run in this process, and meet this broker in memory.
let owner: Broker;
let url = "";
let brokers = 0;

beforeEach(async () => {
  brokers += 1;
  url = `memory:dlq-${brokers}`;
  owner = createBroker(url, { logger: silentLogger, onError: () => {} });
  await owner.connect();
});

afterEach(async () => {
  for (const { topic } of await owner.deadLetters.topics()) await owner.deadLetters.drop(topic);
  for (const { topic, queue } of await owner.queues.list()) await owner.queues.remove(topic, queue);
  await owner.disconnect();
});

function run(args: readonly string[], options: FakeTerminalOptions = {}): Promise<CommandResult> {
  return runCommand(["dlq", ...args], { ...options, env: { TIDINGS_BROKER: url } });
}

/** Makes dead letters with the ids 1, 2, ... of a queue that lives on without a member. */
async function fail(topic: string, count: number, queue = "billing"): Promise<void> {
  const subscriber = await owner.subscribe(topic, (delivery) => delivery.reject("no\u0007 stock"), {
    queue,
    autoAck: false,
  });
  await owner.publishBatch(
    topic,
    Array.from({ length: count }, (_, n) => ({
      id: String(n + 1),
      header: { "x-n": String(n + 1) },
      body: `body ${n + 1}`,
    })),
  );
  await until(async () => (await owner.deadLetters.list(topic)).length === count, { what: `${count} dead letters` });
  await subscriber.unsubscribe();
}

const waiting = async (): Promise<number> =>
  (await owner.queues.list()).reduce((sum, { messages }) => sum + messages, 0);
const left = async (topic: string): Promise<string[]> => (await owner.deadLetters.list(topic)).map(({ id }) => id);

describe("dlq ls", () => {
  test("without a topic lists the topics, and with one its dead letters, named either way", async () => {
    expect((await run(["ls"])).out).toBe("There are no dead letters on the memory broker.\n");
    expect((await run(["ls", "orders.created"])).out).toBe("No dead letters in dlq.orders.created.\n");
    await fail("orders.created", 2);
    await fail("a", 1);
    expect((await run(["ls"])).out).toBe(
      "  topic               dead letters\n  dlq.a               1\n  dlq.orders.created  2\n",
    );
    expect((await run(["ls", "--json"])).out).toBe(
      '[{"topic":"dlq.a","messages":1},{"topic":"dlq.orders.created","messages":2}]\n',
    );
    for (const topic of ["orders.created", "dlq.orders.created"]) {
      const { status, out, err } = await run(["ls", topic]);
      expect([status, err]).toEqual([0, ""]);
      expect(out).toMatch(/^ {2}id +topic +queue +attempts +failed last +reason\n/);
      expect(out).toMatch(/^ {2}2 +orders\.created +billing +1 +\S+Z +no\\u0007 stock$/m);
      const letters = JSON.parse((await run(["ls", topic, "--json"])).out);
      expect(letters).toHaveLength(2);
      expect(letters[0]).toEqual({
        id: "1",
        topic: "orders.created",
        queue: "billing",
        reason: "no\u0007 stock",
        attempts: 1,
        firstAt: TIME,
        lastAt: TIME,
        header: { "x-n": "1" },
        body: "body 1",
      });
    }
  });
});

describe("dlq show", () => {
  test("shows one with all of it, control characters escaped", async () => {
    await fail("t", 3);
    const { status, out } = await run(["show", "t", "2"]);
    expect(status).toBe(0);
    expect(out.split("\n").map((line) => line.replace(/ {2,}/, "|"))).toEqual([
      "id|2",
      "topic|t",
      "queue|billing",
      "reason|no\\u0007 stock",
      "attempts|1",
      expect.stringMatching(/^failed first\|\S+Z$/),
      expect.stringMatching(/^failed last\|\S+Z$/),
      "header|x-n=2",
      "body|body 2",
      "",
    ]);
    expect(
      (await run(["show", "t", "--json"])).out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["1", "2", "3"]);
  });

  test("of an id that nobody has is ERR_NOT_FOUND", async () => {
    expect(await run(["show", "t", "7"])).toEqual({
      status: 1,
      out: "",
      err: 'ERR_NOT_FOUND: There is no dead letter "7" in dlq.t.\n',
    });
  });
});

describe("dlq redrive", () => {
  test("with --dry-run only shows what would go, and where", async () => {
    await fail("t", 2);
    const { out } = await run(["redrive", "t", "--dry-run"]);
    expect(out).toMatch(/billing/);
    expect(out).toMatch(/^dlq\.t: 2 dead letter\(s\) would be redriven\n$/m);
    expect((await run(["redrive", "t", "--dry-run", "--json", "2"])).out).toBe(
      '{"topic":"dlq.t","redriven":0,"left":2,"dryRun":true,"would":[{"id":"2","queue":"billing"}]}\n',
    );
    expect([await left("t"), await waiting()]).toEqual([["1", "2"], 0]);
  });

  test("sends all back to the queue that failed", async () => {
    await fail("t", 3);
    await owner.createQueue("t", "other");
    expect(await run(["redrive", "t"])).toEqual({
      status: 0,
      out: "dlq.t: 3 dead letter(s) redriven, 0 left\n",
      err: "",
    });
    expect(await owner.queues.list()).toMatchObject([
      { queue: "billing", messages: 3 },
      { queue: "other", messages: 0 },
    ]);
  });

  test("sends those that are named, as arguments or with --id", async () => {
    await fail("t", 4);
    const { out } = await run(["redrive", "dlq.t", "1", "--id", "3", "--id=1", "--json"]);
    expect(out).toBe('{"topic":"dlq.t","redriven":2,"left":2,"dryRun":false}\n');
    expect([await left("t"), await waiting()]).toEqual([["2", "4"], 2]);
  });

  test("changes nothing where one of the ids does not exist", async () => {
    await fail("t", 2);
    expect(await run(["redrive", "t", "1", "9"])).toMatchObject({
      status: 1,
      err: expect.stringMatching(/^ERR_NOT_FOUND: .*"9"/),
    });
    expect(await left("t")).toHaveLength(2);
  });

  test("says what cannot go because its queue is gone", async () => {
    await fail("t", 2, "gone");
    await owner.queues.remove("t", "gone");
    expect(await run(["redrive", "t", "--dry-run"])).toMatchObject({
      status: 0,
      err: "warning: the queue of 2 of them is not there, so that they may stay: 1 (gone), 2 (gone)\n",
    });
    expect(await run(["redrive", "t"])).toMatchObject({
      status: 1,
      out: "",
      err: expect.stringMatching(/^ERR_NOT_FOUND: None of 2 dead letter\(s\) in dlq\.t could be redriven: the queue/),
    });
    const subscriber = await owner.subscribe("t", (delivery) => delivery.reject("no"), { queue: "q", autoAck: false });
    await owner.publish("t", { body: "x" });
    await until(async () => (await left("t")).length === 3, { what: "three dead letters" });
    await subscriber.unsubscribe();
    const result = await run(["redrive", "t"]);
    expect(result).toMatchObject({ status: 0, out: "dlq.t: 1 dead letter(s) redriven, 2 left\n" });
    expect(result.err).toMatch(/^warning: 2 dead letter\(s\) could not be redriven: /);
  });

  test("of nothing says so", async () => {
    expect(await run(["redrive", "t"])).toEqual({
      status: 0,
      out: "dlq.t: 0 dead letter(s) redriven, 0 left\n",
      err: "",
    });
  });

  test("shows on a terminal how far it is, and takes that away", async () => {
    await fail("t", 600);
    const { err } = await run(["redrive", "t"], { showsProgress: true });
    expect(err).toContain("\r\u001b[Kredriven 0 of 600");
    expect(err.endsWith("\r\u001b[K")).toBe(true);
  });

  test("stops when it is interrupted, and says what was done", async () => {
    await fail("t", 600);
    const { status, err } = await run(["redrive", "t"], { showsProgress: true, interruptAt: "redriven 0" });
    expect(status).toBe(1);
    expect(err).toMatch(
      /ERR_UNDELIVERED: Interrupted: \d+ dead letter\(s\) of dlq\.t are known to be redriven; what was asked of others may be done as well, and the rest stays\.\n$/,
    );
    expect((await left("t")).length + (await waiting())).toBe(600);
    expect(await waiting()).toBeLessThan(600);
  });
});

describe("dlq drop", () => {
  test("removes all, or those that are named", async () => {
    await fail("t", 3);
    expect((await run(["drop", "t", "--dry-run"])).out).toMatch(/^dlq\.t: 3 dead letter\(s\) would be dropped\n$/m);
    expect((await run(["drop", "t", "2"])).out).toBe("dlq.t: 1 dead letter(s) dropped, 2 left\n");
    expect(await left("t")).toEqual(["1", "3"]);
    expect((await run(["drop", "t", "--json"])).out).toBe('{"topic":"dlq.t","dropped":2,"left":0,"dryRun":false}\n');
    expect([await left("t"), await waiting()]).toEqual([[], 0]);
  });
});

test.each([
  [["ls", "a.>"], "ERR_INVALID_TOPIC: "],
  [["show"], "ERR_INVALID_OPTION: missing required argument 'topic'"],
  [["redrive", "a.*"], "ERR_INVALID_TOPIC: "],
  [["drop"], "ERR_INVALID_OPTION: missing required argument 'topic'"],
  [["purge", "t"], "ERR_INVALID_OPTION: unknown command 'purge'"],
])("dlq %j has status 2 and says why", async (args, err) => {
  expect(await run(args)).toMatchObject({ status: 2, out: "", err: expect.stringContaining(err) });
});

test("a broker without dead letters refuses", async () => {
  const result = await runCommand(["dlq", "ls", "--wire", "go-micro"], { env: { TIDINGS_BROKER: "memory:" } });
  expect(result).toMatchObject({ status: 1, err: expect.stringMatching(/^ERR_UNSUPPORTED: /) });
});
