import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { type CommandResult, runCommand } from "./in-process.ts";

// The commands run in this process, and meet this broker in memory.
let owner: Broker;
let url = "";
let brokers = 0;

beforeEach(async () => {
  brokers += 1;
  url = `memory:queues-${brokers}`;
  owner = createBroker(url, { logger: silentLogger });
  await owner.connect();
});

afterEach(async () => {
  for (const { topic, queue } of await owner.queues.list()) await owner.queues.remove(topic, queue);
  await owner.disconnect();
});

function run(...args: readonly string[]): Promise<CommandResult> {
  return runCommand(["queues", ...args], { env: { TIDINGS_BROKER: url } });
}

describe("queues ls", () => {
  test("shows what every queue holds, in order, as a table and as JSON", async () => {
    await owner.createQueue("b.>", "q");
    await owner.createQueue("a", "z");
    await owner.createQueue("a", "y\u202e");
    await owner.publish("b.c", { body: "x" });
    await owner.subscribe("a", () => {}, { queue: "z" });
    expect(await run("ls")).toEqual({
      status: 0,
      err: "",
      out: [
        "  topic  queue    members  messages",
        "  a      y\\u202e  0        0",
        "  a      z        1        0",
        "  b.>    q        0        1",
        "",
      ].join("\n"),
    });
    const { out } = await run("ls", "b.>", "--json");
    expect(out).toBe('[{"topic":"b.>","queue":"q","members":0,"messages":1}]\n');
  });

  test("says that there are none", async () => {
    expect((await run("ls")).out).toBe("The memory broker knows no queues.\n");
    expect((await run("ls", "orders.created")).out).toBe("The memory broker knows no queues of orders.created.\n");
    expect((await run("ls", "--json")).out).toBe("[]\n");
  });

  test("is refused by a broker that keeps none", async () => {
    const result = await runCommand(["queues", "ls", "--broker", "memory", "--storage", "x"]);
    expect(result).toMatchObject({ status: 1, out: "", err: expect.stringMatching(/^ERR_UNSUPPORTED: /) });
  });
});

describe("queues create", () => {
  test("makes a queue, once, and says where it ends with the process", async () => {
    expect(await run("create", "orders.created", "billing")).toEqual({
      status: 0,
      out: "The queue billing of orders.created: created.\n",
      err: "warning: the memory broker ends with this process, and the queue with it\n",
    });
    expect(await owner.queues.list()).toMatchObject([{ topic: "orders.created", queue: "billing" }]);
    expect(await run("create", "orders.created", "billing")).toEqual({
      status: 0,
      out: "The queue billing of orders.created: exists already.\n",
      err: "",
    });
  });

  test("with --dry-run makes none", async () => {
    expect(await run("create", "t", "q", "--dry-run", "--json")).toEqual({
      status: 0,
      out: '{"topic":"t","queue":"q","created":false,"dryRun":true}\n',
      err: "",
    });
    expect(await owner.queues.list()).toEqual([]);
  });
});

describe("queues rm", () => {
  test("removes a queue with what it holds", async () => {
    await owner.createQueue("t", "q");
    await owner.publish("t", { body: "x" });
    expect((await run("rm", "t", "q", "--dry-run")).out).toBe(
      "The queue q of t: would be removed, with 1 message(s).\n",
    );
    expect(await owner.queues.list()).toHaveLength(1);
    expect(await run("rm", "t", "q")).toEqual({
      status: 0,
      out: "The queue q of t: removed, with 1 message(s).\n",
      err: "",
    });
    expect(await owner.queues.list()).toEqual([]);
  });

  test("says that members go on with an empty one", async () => {
    await owner.subscribe("t", () => {}, { queue: "q" });
    const { out } = await run("rm", "t", "q", "--json");
    expect(JSON.parse(out)).toEqual({ topic: "t", queue: "q", removed: true, dryRun: false, messages: 0, members: 1 });
    expect(await owner.queues.list()).toMatchObject([{ queue: "q", members: 1 }]);
  });

  test.each([[[]], [["--dry-run"]]])("of one that does not exist is ERR_NOT_FOUND (%j)", async (flags) => {
    expect(await run("rm", "t", "q", ...flags)).toEqual({
      status: 1,
      out: "",
      err: 'ERR_NOT_FOUND: The memory broker knows no queue "q" of t.\n',
    });
  });
});

test.each([
  [["ls", "a..b"], "ERR_INVALID_TOPIC: "],
  [["create", "t"], "ERR_INVALID_OPTION: missing required argument 'queue'"],
  [["create", "t", ""], "ERR_INVALID_TOPIC: "],
  [["rm", "a.>.b", "q"], "ERR_INVALID_TOPIC: "],
  [["remove", "t", "q"], "ERR_INVALID_OPTION: unknown command 'remove'"],
])("queues %j has status 2 and says why", async (args, err) => {
  expect(await run(...args)).toMatchObject({ status: 2, out: "", err: expect.stringContaining(err) });
});
