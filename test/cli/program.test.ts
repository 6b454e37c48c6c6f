import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { type FakeTerminal, type FakeTerminalOptions, fakeTerminal } from "./fake-terminal.ts";
import { type OwnFolder, ownFolder } from "./tidings-process.ts";

// Every test has a memory broker of its own: the commands run in this process, and meet in it.
let broker = "";
let brokers = 0;
const open: { terminal: FakeTerminal; ended: Promise<number> }[] = [];

function start(
  args: readonly string[],
  options: FakeTerminalOptions = {},
): { terminal: FakeTerminal; ended: Promise<number> } {
  const terminal = fakeTerminal({ ...options, env: { TIDINGS_BROKER: broker, ...options.env } });
  const command = { terminal, ended: runProgram(args, terminal) };
  open.push(command);
  return command;
}

async function run(
  args: readonly string[],
  options?: FakeTerminalOptions,
): Promise<{ status: number; out: string; err: string }> {
  const { terminal, ended } = start(args, options);
  const status = await ended;
  return { status, out: terminal.out(), err: terminal.err() };
}

async function subscribed({ terminal }: { terminal: FakeTerminal }): Promise<void> {
  await until(() => terminal.err().includes("subscribed to"), { what: "it is subscribed", detail: terminal.err });
}

function fresh(): void {
  brokers += 1;
  broker = `memory:cli-${brokers}`;
}

fresh();
async function endAll(): Promise<void> {
  for (const { terminal } of open) terminal.interrupt();
  await Promise.all(open.splice(0).map(({ ended }) => ended));
}

afterEach(async () => {
  await endAll();
  fresh();
});

describe("sub", () => {
  test("prints messages until it is interrupted, then ends well", async () => {
    const sub = start(["sub", "orders.>", "--queue", "billing"]);
    await subscribed(sub);
    expect(sub.terminal.err()).toBe(`subscribed to orders.> (queue billing) on memory ${broker}\n`);
    expect((await run(["pub", "orders.created", '{"id":7}', "-H", "x-id=7"])).status).toBe(0);
    expect(sub.terminal.out()).toBe('orders.created x-id=7 {"id":7}\n');
    sub.terminal.interrupt();
    expect(await sub.ended).toBe(0);
  });

  test("with --count takes exactly that many, and leaves the others", async () => {
    const owner = createBroker(broker, { logger: silentLogger });
    await owner.connect();
    await owner.createQueue("t", "q");
    await owner.publishBatch(
      "t",
      Array.from({ length: 20 }, (_, n) => ({ body: String(n) })),
    );
    const first = await run(["sub", "t", "-q", "q", "--count", "7"]);
    expect(first).toMatchObject({ status: 0, out: Array.from({ length: 7 }, (_, n) => `t ${n}\n`).join("") });
    expect(await owner.queues.list()).toMatchObject([{ queue: "q", messages: 13, members: 0 }]);
    const rest = await run(["sub", "t", "-q", "q", "--count", "13", "--concurrency", "4", "--json"]);
    const messages = rest.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(messages.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 13 }, (_, n) => n + 7),
    );
    expect(messages.every(({ attempt }) => attempt === 1)).toBe(true);
    expect(await owner.queues.list()).toMatchObject([{ messages: 0 }]);
    await owner.disconnect();
  });

  test("ends well when its reader leaves, and gives the message back", async () => {
    const owner = createBroker(broker, { logger: silentLogger });
    await owner.connect();
    await owner.createQueue("t", "q");
    await owner.publishBatch("t", [{ body: "1" }, { body: "2" }]);
    const sub = start(["sub", "t", "-q", "q", "--concurrency", "1"], { leavesAfter: 1 });
    expect(await sub.ended).toBe(0);
    expect(sub.terminal.out()).toBe("t 1\n");
    expect(await owner.queues.list()).toMatchObject([{ messages: 1 }]);
    await owner.queues.remove("t", "q");
    await owner.disconnect();
  });

  test("ends well when it is interrupted before it is subscribed", async () => {
    const sub = start(["sub", "t"]);
    sub.terminal.interrupt();
    expect(await sub.ended).toBe(0);
  });
});

describe("pub", () => {
  test("takes the body from standard input as it is", async () => {
    const sub = start(["sub", "t", "--count", "3", "--json"]);
    await subscribed(sub);
    for (const args of [
      ["pub", "t"],
      ["pub", "t", "-"],
    ])
      expect((await run(args, { stdin: Uint8Array.of(0xff, 10) })).status).toBe(0);
    expect((await run(["pub", "t", ""])).status).toBe(0);
    expect(await sub.ended).toBe(0);
    const messages = sub.terminal
      .out()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(messages.map(({ bodyBase64, body }) => bodyBase64 ?? body)).toEqual(["/wo=", "/wo=", ""]);
  });

  test("wants a body where nothing is on standard input", async () => {
    expect(await run(["pub", "t"])).toMatchObject({
      status: 2,
      err: expect.stringMatching(/^ERR_INVALID_OPTION: There is no body/),
    });
  });

  test("stops reading a body that is too large", async () => {
    const result = await run(["pub", "t"], { stdin: Buffer.alloc(2 ** 20 + 1) });
    expect(result).toMatchObject({ status: 1, err: expect.stringMatching(/^ERR_MESSAGE_TOO_LARGE: /) });
  });

  test("passes id, key and headers on, and prints receipts", async () => {
    const sub = start(["sub", "t", "--count", "1", "--json"]);
    await subscribed(sub);
    const result = await run(["pub", "t", "x", "--id", "a\u001b", "--key", "k", "-H", "a=1", "-H", "b==", "--json"]);
    expect(result).toMatchObject({ status: 0, err: "", out: '{"id":"a\\u001b","state":"accepted"}\n' });
    await sub.ended;
    expect(JSON.parse(sub.terminal.out())).toEqual({
      topic: "t",
      id: "a\u001b",
      attempt: 1,
      header: { a: "1", b: "=" },
      body: "x",
    });
  });

  test("has a line for each of a few messages and a summary of many", async () => {
    const sub = start(["sub", "t", "--count", "53"]);
    await subscribed(sub);
    const few = await run(["pub", "t", "x", "--count", "3"]);
    expect(few.out).toMatch(/^(t [0-9a-f-]{36} accepted\n){3}$/);
    const many = await run(["pub", "t", "x", "--count", "50"]);
    expect(many).toMatchObject({ status: 0, out: "t: 50 accepted\n", err: "" });
    expect(await sub.ended).toBe(0);
  });

  test("says when nobody got the message", async () => {
    const result = await run(["pub", "t", "x", "--count", "2"]);
    expect(result).toMatchObject({
      status: 1,
      err: expect.stringMatching(/^ERR_UNDELIVERED: 2 message\(s\) not delivered: nobody/),
    });
  });

  test("says when a message was not delivered in time, though it is kept", async () => {
    const owner = createBroker(broker, { logger: silentLogger });
    await owner.connect();
    await owner.createQueue("t", "q");
    const result = await run(["pub", "t", "x", "--timeout-ms", "50"]);
    expect(result.status).toBe(1);
    expect(result.err).toMatch(
      /^1 message\(s\) found no subscriber ready: waiting for delivery, at most 50 ms\nERR_UNDELIVERED: .*within 50 ms.*\n$/,
    );
    expect(await owner.queues.list()).toMatchObject([{ messages: 1 }]);
    await owner.queues.remove("t", "q");
    await owner.disconnect();
  });

  test("goes on without a reader", async () => {
    const sub = start(["sub", "t", "--count", "5"]);
    await subscribed(sub);
    const pub = start(["pub", "t", "x", "--count", "5"], { leavesAfter: 1 });
    expect(await pub.ended).toBe(0);
    expect(await sub.ended).toBe(0);
  });

  test("says how many it did not publish when it is interrupted", async () => {
    const sub = start(["sub", "t"]);
    await subscribed(sub);
    const pub = start(["pub", "t", "x", "--count", "100", "--rate", "1"]);
    await until(() => sub.terminal.out() !== "", { what: "the first message is there" });
    pub.terminal.interrupt();
    expect(await pub.ended).toBe(1);
    expect(pub.terminal.err()).toMatch(/^ERR_UNDELIVERED: Interrupted: 9\d of 100 messages were not published\.\n$/);
  });

  test("ends when it is interrupted while it reads its body", async () => {
    const terminal = fakeTerminal({ env: { TIDINGS_BROKER: broker } });
    const ended = runProgram(["pub", "t", "-"], terminal);
    terminal.interrupt();
    expect(await ended).toBe(1);
  });
});

describe("over HTTP", () => {
  let folder: OwnFolder;
  let env: Record<string, string>;

  beforeEach(() => {
    folder = ownFolder();
    env = { TIDINGS_BROKER: "http", TIDINGS_REGISTRY_ADDRESS: folder.path };
  });
  afterEach(async () => {
    await endAll();
    folder.remove();
  });

  test("pub counts what was not delivered in time", async () => {
    const result = await run(["pub", "t", "x", "--count", "2", "--timeout-ms", "20"], { env });
    expect(result.status).toBe(1);
    expect(result.err).toMatch(/ERR_UNDELIVERED: 2 message\(s\) not delivered within 20 ms: /);
  });

  test("an address that is taken is told", async () => {
    const sub = start(["sub", "t"], { env });
    await subscribed(sub);
    const [, port] = /127\.0\.0\.1:(\d+)/.exec(sub.terminal.err()) ?? [];
    const result = await run(["pub", "t", "x", "--broker-address", `127.0.0.1:${port}`], { env });
    expect(result).toMatchObject({ status: 1, err: expect.stringMatching(/^ERR_ADDRESS_IN_USE: /) });
  });

  test("services lists them, sorted", async () => {
    const sub = start(["sub", "orders.created", "--queue", "billing"], { env });
    await subscribed(sub);
    const services = JSON.parse((await run(["services", "--json"], { env })).out);
    const names = services.map(({ name }: { name: string }) => name);
    expect(names).toEqual([...names].sort());
    expect(names.length).toBeGreaterThan(0);
    expect((await run(["services"], { env })).out).toMatch(/orders\.created .* billing /);
  });
});

describe("services", () => {
  test("shows an empty registry", async () => {
    expect(await run(["services", "--registry", "memory"])).toMatchObject({
      status: 0,
      out: "The memory registry knows no services.\n",
    });
    expect(await run(["services", "--registry", "memory", "--json"])).toMatchObject({ status: 0, out: "[]\n" });
  });

  test.each([
    ["etcd", 1, /^ERR_UNSUPPORTED: .*local, memory, mdns/],
    ["pigeon", 2, /^ERR_INVALID_OPTION: .*local, memory or mdns/],
  ])("refuses the registry %s", async (name, status, err) => {
    expect(await run(["services", "--registry", name])).toMatchObject({ status, err: expect.stringMatching(err) });
    expect(await run(["services"], { env: { MICRO_REGISTRY: name } })).toMatchObject({ status });
  });
});

describe("wrong usage", () => {
  test.each([
    [["sub"], "ERR_INVALID_OPTION: missing required argument"],
    [["sub", "a", "b"], "ERR_INVALID_OPTION: too many arguments"],
    [["sub", "a", "--qeue", "b"], "ERR_INVALID_OPTION: unknown option '--qeue' (Did you mean --queue?)"],
    [["sub", "a", "--queue"], "ERR_INVALID_OPTION: option '-q, --queue <name>' argument missing"],
    [["sub", "a..b"], "ERR_INVALID_TOPIC: "],
    [["sub", "a.>.b"], "ERR_INVALID_TOPIC: "],
    [["sub", "a", "--queue", "\u0000"], "ERR_INVALID_TOPIC: "],
    [["sub", "a", "--count", "0"], "ERR_INVALID_OPTION: --count takes"],
    [["sub", "a", "--broker", "pigeon"], "ERR_INVALID_OPTION: --broker takes a broker's name (http, memory, "],
    [["sub", "a", "--wire", "morse"], 'ERR_INVALID_OPTION: --wire takes tidings or go-micro, not "morse".'],
    [["sub", "a", "--broker", "nats", "--broker_address", "b:c"], "ERR_INVALID_OPTION: --broker-address takes"],
    [["pub", "a.*", "x"], "ERR_INVALID_TOPIC: "],
    [["pub", "a", "x", "-H", "y"], "ERR_INVALID_OPTION: --header takes"],
    [["pub", "a", "x", "--id", "1", "--count", "2"], "ERR_INVALID_OPTION: --id"],
    [["pub", "a", "x", "--key", ""], "ERR_INVALID_MESSAGE: "],
    [["pub", "a", "x", "--rate", "0"], "ERR_INVALID_OPTION: --rate takes"],
    [["nonsense"], "ERR_INVALID_OPTION: unknown command 'nonsense'"],
  ])("%j has status 2 and says why", async (args, err) => {
    expect(await run(args)).toMatchObject({ status: 2, out: "", err: expect.stringContaining(err) });
  });

  test("repeats no value of an unknown flag, and no control character", async () => {
    expect((await run(["sub", "a", "--secret=word"])).err).toBe("ERR_INVALID_OPTION: unknown option '--secret'\n");
    expect((await run(["\u001b[2J"])).err).toBe("ERR_INVALID_OPTION: unknown command '\\u001b[2J'\n");
  });

  test("of nothing at all shows the help", async () => {
    expect(await run([])).toMatchObject({ status: 2, err: expect.stringContaining("Usage: tidings") });
  });
});

test("a failure has status 1, no stack, and one with TIDINGS_DEBUG=1", async () => {
  const args = ["sub", "a", "--storage", "folder"];
  const result = await run(args);
  expect(result).toMatchObject({ status: 1, err: expect.stringMatching(/^ERR_UNSUPPORTED: [^\n]+\n$/) });
  expect((await run(args, { env: { TIDINGS_DEBUG: "1" } })).err).toContain("    at ");
});

test.each(["queues ls --json", "queues create t q", "queues rm t q", "dlq ls", "dlq redrive t", "dlq drop t --json"])(
  "%s that is interrupted before it is connected has done nothing, and says so",
  async (args) => {
    const { terminal, ended } = start(args.split(" "));
    terminal.interrupt();
    expect(await ended).toBe(1);
    expect(terminal.out()).toBe("");
    expect(terminal.err()).toBe("ERR_NOT_CONNECTED: Interrupted before it was connected: nothing was done.\n");
  },
);

test("help and version go to standard output", async () => {
  const commands = ["pub", "sub", "services", "queues", "dlq", "doctor"];
  for (const args of [["--help"], ...commands.map((command) => [command, "--help"])]) {
    expect(await run(args)).toMatchObject({
      status: 0,
      err: "",
      out: expect.stringMatching(/Usage: tidings[\s\S]*Examples/),
    });
  }
  expect((await run(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each(["--help", "--version", "pub --help", "doctor", "doctor --json", "queues ls"])(
  "%s that cannot be written is a failure",
  async (args) => {
    const result = await run(args.split(" "), { leavesAfter: 0, outputError: "ENOSPC" });
    expect(result).toEqual({ status: 1, out: "", err: "ERR_DRIVER: Unexpected error: write ENOSPC\n" });
  },
);
