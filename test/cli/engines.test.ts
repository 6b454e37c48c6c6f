import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { startNats } from "../support/engines/nats.ts";
import { startRabbitmq } from "../support/engines/rabbitmq.ts";
import { type CommandResult, runCommand } from "./in-process.ts";
import { ownFolder, tidings } from "./tidings-process.ts";

/** A broker to run commands against. */
interface Target {
  /** Flags that reach it. */
  readonly flags: readonly string[];
  readonly url: string;
  /** Where its peers meet, for the broker that has some. */
  readonly registryAddress?: string;
  stop(): unknown;
}

const TIMEOUT = { timeout: 60_000 };

/** What the commands do on every broker that keeps queues and dead letters. */
function commandsOn(name: string, server: RegExp | undefined, start: () => Promise<Target>): void {
  let target: Target;
  let names = 0;

  beforeAll(async () => {
    target = await start();
  }, 90_000);

  afterAll(async () => {
    await target?.stop();
  });

  const topicOf = (word: string): string => {
    names += 1;
    return `cli.${names}.${word}`;
  };
  const run = (...args: readonly string[]): Promise<CommandResult> => runCommand([...args, ...target.flags]);
  const connect = async () => {
    const { url, registryAddress } = target;
    const options = registryAddress === undefined ? {} : { registryAddress };
    const broker = createBroker(url, { logger: silentLogger, onError: () => {}, ...options });
    await broker.connect();
    return broker;
  };

  test("pub reaches sub in another process", TIMEOUT, async () => {
    const topic = topicOf("created");
    const sub = tidings(["sub", topic, "--queue", "billing", "--count", "2", "--json", ...target.flags], {});
    await sub.says(`subscribed to ${topic} (queue billing) on ${name} `);
    const pub = tidings(["pub", topic, '{"id":7}', "-H", "x-id=7", "--count", "2", ...target.flags], {});
    await Promise.all([pub.endsWith(0), sub.endsWith(0)]);
    const message = { topic, attempt: 1, header: { "x-id": "7" }, body: '{"id":7}' };
    expect(sub.lines.map((line) => JSON.parse(line))).toMatchObject([message, message]);
  });

  test("queues are created, listed and removed", TIMEOUT, async () => {
    // Somebody has to be there: on the HTTP broker the publishers keep the messages.
    const publisher = await connect();
    const topic = topicOf("created");
    expect(await run("queues", "create", topic, "billing")).toMatchObject({ status: 0, err: "" });
    const queues = async () => JSON.parse((await run("queues", "ls", topic, "--json")).out);
    expect(await queues()).toEqual([{ topic, queue: "billing", members: 0, messages: 0 }]);
    await publisher.publishBatch(topic, [{ body: "1" }, { body: "2" }]);
    await until(async () => (await queues())[0]?.messages === 2, { what: "two messages wait" });
    expect((await run("queues", "rm", topic, "billing", "--dry-run")).out).toMatch(/would be removed, with 2 message/);
    expect((await run("sub", topic, "--queue", "billing", "--count", "1")).out).toBe(`${topic} 1\n`);
    expect(await run("queues", "rm", topic, "billing")).toMatchObject({ status: 0, err: "" });
    expect(await queues()).toEqual([]);
    expect(await run("queues", "rm", topic, "billing")).toMatchObject({
      status: 1,
      err: expect.stringMatching(/^ERR_NOT_FOUND: /),
    });
    await publisher.disconnect();
  });

  test("dead letters are listed, shown, redriven to the queue that failed, and dropped", TIMEOUT, async () => {
    const owner = await connect();
    const topic = topicOf("created");
    await owner.createQueue(topic, "other");
    const failing = await owner.subscribe(topic, (delivery) => delivery.reject("no stock"), {
      queue: "billing",
      autoAck: false,
    });
    for (const id of ["a", "b", "c"])
      await owner.publish(topic, { header: { "x-n": id }, body: `body ${id}` }, { id: `${topic}-${id}` });
    const letters = async () => JSON.parse((await run("dlq", "ls", topic, "--json")).out);
    await until(async () => (await letters()).length === 3, { what: "three dead letters" });
    await failing.unsubscribe();

    expect((await run("dlq", "ls", `dlq.${topic}`)).out).toMatch(/no stock/);
    const shown = JSON.parse((await run("dlq", "show", topic, `${topic}-b`, "--json")).out);
    expect(shown).toMatchObject({ topic, queue: "billing", attempts: 1, header: { "x-n": "b" }, body: "body b" });

    expect((await run("dlq", "redrive", topic, "--dry-run")).out).toMatch(/3 dead letter\(s\) would be redriven/);
    expect(await letters()).toHaveLength(3);
    expect((await run("dlq", "redrive", topic, `${topic}-a`, "--json")).out).toBe(
      `{"topic":"dlq.${topic}","redriven":1,"left":2,"dryRun":false}\n`,
    );
    expect((await run("dlq", "drop", topic, `${topic}-b`)).out).toBe(
      `dlq.${topic}: 1 dead letter(s) dropped, 1 left\n`,
    );
    expect((await letters()).map(({ id }: { id: string }) => id)).toEqual([`${topic}-c`]);
    expect((await run("dlq", "redrive", topic)).out).toBe(`dlq.${topic}: 1 dead letter(s) redriven, 0 left\n`);
    const again = await run("sub", topic, "--queue", "billing", "--count", "2", "--concurrency", "1", "--json");
    const messages = again.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(messages).toMatchObject([
      { id: `${topic}-a`, attempt: 1, header: { "x-n": "a" }, body: "body a" },
      { id: `${topic}-c`, attempt: 1, header: { "x-n": "c" }, body: "body c" },
    ]);
    // The queue that did not fail has each of them once, and nothing that was redriven in between.
    const other = await run("sub", topic, "--queue", "other", "--count", "3", "--concurrency", "1");
    expect(other.out).toBe(["a", "b", "c"].map((id) => `${topic} x-n=${id} body ${id}\n`).join(""));
    expect(JSON.parse((await run("queues", "ls", topic, "--json")).out)).toMatchObject([
      { queue: "billing", messages: 0 },
      { queue: "other" },
    ]);
    for (const queue of ["billing", "other"]) await owner.queues.remove(topic, queue);
    await owner.disconnect();
  });

  test("doctor finds nothing that fails, and says what the server is", TIMEOUT, async () => {
    const { status, out, err } = await run("doctor", "--json");
    expect([status, err]).toEqual([0, ""]);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ broker: name, capabilities: { deadLetters: true, standingQueues: true } });
    if (server === undefined) expect(report.server).toBeNull();
    else expect(`${report.server.name} ${report.server.version}`).toMatch(server);
    const failures = report.checks.filter((finding: { status: string }) => finding.status === "failure");
    expect(failures).toEqual([]);
    expect(report.checks).toContainEqual(expect.objectContaining({ check: "round trip", status: "ok" }));
  });
}

describe("on the HTTP broker", () => {
  commandsOn("http", undefined, async () => {
    const folder = ownFolder();
    return {
      flags: ["--registry-address", folder.path],
      url: "http://127.0.0.1:0",
      registryAddress: folder.path,
      stop: () => folder.remove(),
    };
  });
});

describeWithEngine(
  "nats",
  "on JetStream",
  () => {
    commandsOn("nats", /^nats-server 2\.\d+\.\d+/, async () => {
      const engine = await startNats();
      const flags = ["--broker", "nats", "--broker-address", `${engine.host}:${engine.port}`];
      return { flags, url: engine.url, stop: () => engine.stop() };
    });

    test.each([
      [
        "by itself",
        undefined,
        /^ERR_UNDELIVERED: The broker did not answer for a message within 3000 ms; it may have it all the same\.$/m,
      ],
      [
        "when it is interrupted",
        "SIGINT",
        /^ERR_UNDELIVERED: Interrupted: \d+ of 2000 messages were not published\.$/m,
      ],
    ] as const)("pub to a server that is gone meanwhile ends %s", TIMEOUT, async (_how, signal, says) => {
      const engine = await startNats();
      try {
        const where = ["--broker", "nats", "--broker-address", `${engine.host}:${engine.port}`];
        const limits = ["--count", "2000", "--rate", "200", "--timeout-ms", signal === undefined ? "1000" : "50000"];
        const pub = tidings(["pub", "t", "x", "--json", ...limits, ...where], {});
        await pub.hasLines(1);
        await engine.kill();
        await pub.says("ERR_CONNECTION_LOST");
        if (signal !== undefined) pub.child.kill(signal);
        await pub.endsWith(1);
        expect(pub.err).toMatch(says);
      } finally {
        await engine.stop();
      }
    });
  },
  { own: true },
);

describeWithEngine(
  "nats",
  "on core NATS",
  () => {
    let engine: Awaited<ReturnType<typeof startNats>>;
    beforeAll(async () => {
      engine = await startNats({ jetstream: false });
    }, 60_000);
    afterAll(() => engine?.stop());

    const run = (...args: readonly string[]): Promise<CommandResult> =>
      runCommand([...args, "--broker", "nats+core", "--broker-address", `${engine.host}:${engine.port}`]);

    test.each([
      ["queues", "ls"],
      ["queues", "create", "t", "q"],
      ["queues", "rm", "t", "q"],
      ["dlq", "ls"],
      ["dlq", "redrive", "t"],
    ])("%s %s is refused, with what the broker lacks", async (...args) => {
      const { status, out, err } = await run(...args);
      expect([status, out]).toEqual([1, ""]);
      expect(err).toMatch(/^ERR_UNSUPPORTED: The nats\+core broker keeps no (queues|dead letters)\.$/m);
    });

    test("doctor warns of the guarantee, and of JetStream that is missing", TIMEOUT, async () => {
      const core = await run("doctor");
      expect(core.status).toBe(0);
      expect(core.out).toMatch(/^warning {2}guarantee +at most once.*\n +Use nats:\/\//m);
      expect(core.out).toMatch(/^ok {7}server +nats-server 2\./m);
      const flags = ["--broker", "nats", "--broker-address", `${engine.host}:${engine.port}`];
      const jetstream = await runCommand(["doctor", ...flags]);
      expect(jetstream.status).toBe(1);
      expect(jetstream.err).toMatch(/^ERR_UNSUPPORTED: connect: .*nats\+core:\/\//);
    });
  },
  { own: true },
);

describeWithEngine(
  "rabbitmq",
  "on RabbitMQ",
  () => {
    commandsOn("rabbitmq", /^RabbitMQ 3\.\d+\.\d+/, async () => {
      const engine = await startRabbitmq();
      const flags = ["--broker", "rabbitmq", "--broker-address", `${engine.host}:${engine.port}`];
      return { flags, url: engine.url, stop: () => engine.stop() };
    });
  },
  { own: true },
);
