import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { until } from "../../src/testing/conformance/until.ts";
import { testCertificates } from "../support/engines/certificates.ts";
import { type OwnFolder, ownFolder, RunningProgram, tidings } from "./tidings-process.ts";

let folder: OwnFolder;
const running: RunningProgram[] = [];

beforeEach(() => {
  folder = ownFolder();
});

afterEach(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map(({ ended }) => ended));
  folder.remove();
});

function start(
  args: readonly string[],
  options: { env?: Record<string, string>; input?: string | Uint8Array } = {},
): RunningProgram {
  const program = tidings(args, { ...folder.env, ...options.env }, options.input);
  running.push(program);
  return program;
}

describe("tidings", () => {
  test("pub reaches sub in another process, and both end by themselves", async () => {
    const sub = start(["sub", "orders.created", "--queue", "billing", "--count", "2", "--json"]);
    await sub.says("subscribed to orders.created (queue billing) on http 127.0.0.1:");
    const pub = start(["pub", "orders.created", '{"id":7}', "-H", "x-id=7", "--count", "2"]);
    await Promise.all([pub.endsWith(0), sub.endsWith(0)]);
    const messages = sub.lines.map((line) => JSON.parse(line));
    expect(messages).toMatchObject(
      Array(2).fill({ topic: "orders.created", attempt: 1, header: { "x-id": "7" }, body: '{"id":7}' }),
    );
    expect(new Set(messages.map(({ id }) => id)).size).toBe(2);
  });

  test("sub gets what was published before it, in order", async () => {
    const pub = start(["pub", "t", "x", "--count", "5", "--json"]);
    await pub.hasLines(5);
    expect(pub.lines.map((line) => JSON.parse(line).state)).toEqual(Array(5).fill("waiting"));
    const sub = start(["sub", "t", "--count", "5", "--json"]);
    await Promise.all([sub.endsWith(0), pub.endsWith(0)]);
    const ids = (program: RunningProgram) => program.lines.map((line) => JSON.parse(line).id);
    expect(ids(sub)).toEqual(ids(pub));
  });

  test("pub --storage ends once it is stored, and a sub with that folder has it", async () => {
    const storage = `${folder.path}/storage`;
    const pub = start(["pub", "t", "x", "--count", "3", "--json", "--storage", storage]);
    await pub.endsWith(0);
    expect(pub.err).toContain("3 message(s) found no subscriber ready: they are stored, and wait for the first");
    const sub = start(["sub", "t", "--count", "3", "--json"], { env: { TIDINGS_STORAGE: storage } });
    await sub.endsWith(0);
    const ids = (program: RunningProgram) => program.lines.map((line) => JSON.parse(line).id);
    expect(ids(sub)).toEqual(ids(pub));
  });

  test("sub --count gives back what it did not take", async () => {
    const pub = start(["pub", "t", "x", "--count", "12", "--json"]);
    await pub.hasLines(12);
    const first = start(["sub", "t", "-q", "q", "--count", "5", "--json"]);
    await first.endsWith(0);
    const second = start(["sub", "t", "-q", "q", "--count", "7", "--json"]);
    await Promise.all([second.endsWith(0), pub.endsWith(0)]);
    const messages = [...first.lines, ...second.lines].map((line) => JSON.parse(line));
    expect(new Set(messages.map(({ id }) => id)).size).toBe(12);
    expect(messages.every(({ attempt }) => attempt === 1)).toBe(true);
  });

  test("pub says what nobody took in time", async () => {
    const pub = start(["pub", "t", "x", "--count", "3", "--timeout-ms", "100"]);
    await pub.endsWith(1);
    expect(pub.err).toMatch(
      /^3 message\(s\) found no subscriber ready: waiting for delivery, at most 100 ms\nERR_UNDELIVERED: 3 message\(s\) not delivered within 100 ms: [^\n]+\n$/,
    );
  });

  test.each(["SIGINT", "SIGTERM"] as const)("sub ends well on %s", async (signal) => {
    const sub = start(["sub", "t"]);
    await sub.says("subscribed");
    sub.child.kill(signal);
    await sub.endsWith(0);
  });

  test("sub ends well when its reader leaves", async () => {
    const sub = start(["sub", "t"]);
    await sub.says("subscribed");
    sub.child.stdout?.destroy();
    const pub = start(["pub", "t", "x", "--timeout-ms", "0"]);
    await sub.endsWith(0);
    await pub.ended;
    expect(sub.err).not.toContain("ERR_");
  });

  test("sub ends when it is interrupted though its reader does not read, and another member gets the rest", {
    timeout: 60_000,
  }, async () => {
    const first = start(["sub", "t", "-q", "q", "--json"]);
    await first.says("subscribed");
    first.child.stdout?.pause();
    const exited = new Promise((resolve) => first.child.once("exit", resolve));
    const input = "x".repeat(60_000);
    const pub = start(["pub", "t", "--count", "40", "--timeout-ms", "60000", "--json"], { input });
    await pub.hasLines(40);
    const second = start(["sub", "t", "-q", "q", "--json"]);
    await second.says("subscribed");
    first.child.kill("SIGTERM");
    expect(await exited).toBe(0);
    first.child.stdout?.resume();
    await pub.endsWith(0);
    second.child.kill("SIGTERM");
    await second.endsWith(0);
    await first.ended;
    const whole = [...first.lines, ...second.lines].filter((line) => line.endsWith("}"));
    const ids = (lines: readonly string[]) => new Set(lines.map((line) => JSON.parse(line).id));
    expect(ids(whole)).toEqual(ids(pub.lines));
  });

  test("a reader of standard error that leaves costs no message", async () => {
    const sub = start(["sub", "t", "--count", "1", "--json"]);
    sub.child.stderr?.destroy();
    const pub = start(["pub", "t", "x", "--json"]);
    pub.child.stderr?.destroy();
    await Promise.all([pub.endsWith(0), sub.endsWith(0)]);
    expect(JSON.parse(sub.out).id).toBe(JSON.parse(pub.out).id);
  });

  test.each(["--help", "--version", "help pub", "pub --help"])("%s ends well when its reader leaves", async (args) => {
    const program = start(args.split(" "));
    program.child.stdout?.destroy();
    await program.endsWith(0);
    expect(program.err).toBe("");
  });

  test("services shows subscriptions, with node ids", async () => {
    const sub = start(["sub", "orders.created", "--queue", "billing"]);
    await sub.says("subscribed");
    const json = start(["services", "--json"]);
    await json.endsWith(0);
    const services = JSON.parse(json.out);
    for (const service of services) {
      expect(Object.keys(service)).toEqual(["name", "version", "endpoints", "nodes"]);
      for (const node of service.nodes) expect(Object.keys(node)).toEqual(["id", "address", "metadata"]);
    }
    const nodes = services.flatMap(({ nodes: all }: { nodes: { metadata: object }[] }) => all);
    expect(nodes).toContainEqual({
      id: expect.any(String),
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      metadata: expect.objectContaining({ topic: "orders.created" }),
    });
    const table = start(["services"]);
    await table.endsWith(0);
    expect(table.out).toMatch(/orders\.created.*billing/);
  });

  test("with certificates, commands meet processes that have them, and others do not", async () => {
    const certificates = await testCertificates();
    onTestFinished(() => certificates.remove());
    const { caFile, peerCertFile, peerKeyFile } = certificates;
    const files = ["--tls-ca-file", caFile, "--tls-cert-file", peerCertFile, "--tls-key-file", peerKeyFile];
    const env = { TIDINGS_TLS_CA_FILE: caFile, TIDINGS_TLS_CERT_FILE: peerCertFile, TIDINGS_TLS_KEY_FILE: peerKeyFile };
    const sub = start(["sub", "orders.created", "--queue", "billing", "--count", "1", "--json"], { env });
    await sub.says("subscribed");
    const [without, table] = [start(["services"]), start(["services", ...files])];
    await Promise.all([without.endsWith(0), table.endsWith(0)]);
    expect(without.out).toMatch(/orders\.created +billing +0/);
    expect(without.err).toMatch(/^warning: ERR_AUTHENTICATION: The peer at \S+ is not trusted: /);
    expect(table.out).toMatch(/orders\.created +billing +1/);
    expect(table.err).toBe("");
    const pub = start(["pub", "orders.created", "x", ...files]);
    await Promise.all([pub.endsWith(0), sub.endsWith(0)]);
    expect(sub.lines.map((line) => JSON.parse(line).body)).toEqual(["x"]);
    const missing = start(["pub", "t", "x", "--tls-key-file", "/no/such/file"]);
    await missing.endsWith(2);
    expect(missing.err).toContain(
      "ERR_INVALID_OPTION: --tls-key-file names a file that cannot be read (ENOENT): /no/such/file.",
    );
  });

  test("services --secure true warns of each peer that cannot be asked, and has status 0", async () => {
    const sub = start(["sub", "orders.created", "--secure", "true"]);
    await sub.says("subscribed");
    const services = start(["services", "--secure", "true"]);
    await services.endsWith(0);
    expect(services.err).toMatch(
      /^warning: ERR_AUTHENTICATION: The peer at \S+ is not trusted: .*only encrypted connections/,
    );
    expect(services.err.match(/warning:/g)).toHaveLength(1);
  });

  test("services shows a subscription that go-micro peers find in the registry once", async () => {
    const sub = start(["sub", "orders.created", "--wire", "go-micro"]);
    await sub.says("subscribed");
    const json = start(["services", "--json"]);
    await json.endsWith(0);
    const nodes = JSON.parse(json.out).flatMap(({ nodes: all }: { nodes: { metadata: { topic?: string } }[] }) => all);
    const shown = nodes.filter(({ metadata }: { metadata: { topic?: string } }) => metadata.topic === "orders.created");
    expect(shown).toHaveLength(1);
  });

  test("takes its settings from the environment", async () => {
    const pub = start(["pub", "t", "x"], { env: { MICRO_BROKER: "nats", TIDINGS_BROKER: "memory" } });
    await pub.endsWith(1);
    expect(pub.err).toMatch(/^ERR_UNDELIVERED: /);
    const sub = start(["sub", "t"], { env: { MICRO_BROKER: "nats", TIDINGS_WIRE: "go-micro" } });
    await sub.endsWith(1);
    expect(sub.err).toMatch(/^ERR_UNSUPPORTED: /);
  });

  test("reads a body from standard input", async () => {
    const sub = start(["sub", "t", "--count", "1", "--json"]);
    await sub.says("subscribed");
    await start(["pub", "t", "-"], { input: Uint8Array.of(0xff, 0x1b) }).endsWith(0);
    await sub.endsWith(0);
    expect(JSON.parse(sub.out).bodyBase64).toBe("/xs=");
  });
});

describe("pub, when a subscriber is killed in the middle of a message", () => {
  const index = fileURLToPath(new URL("../../dist/index.js", import.meta.url));

  /** A subscriber whose handler takes for ever; it says on standard output what it has. */
  async function stuck(queue?: string): Promise<RunningProgram> {
    const options = queue === undefined ? "{}" : JSON.stringify({ queue });
    const script = `import { createBroker } from ${JSON.stringify(index)};
      const broker = createBroker("http");
      await broker.connect();
      await broker.subscribe("t", (delivery) => {
        console.log(delivery.attempt);
        return new Promise(() => {});
      }, ${options});
      console.error("subscribed");`;
    const program = new RunningProgram(process.execPath, ["--input-type=module", "--eval", script], folder.env);
    running.push(program);
    await program.says("subscribed");
    return program;
  }

  test("says what was given up, and has status 1", async () => {
    const victim = await stuck();
    const pub = start(["pub", "t", "x"]);
    await victim.hasLines(1);
    victim.child.kill("SIGKILL");
    await pub.endsWith(1);
    expect(pub.err).toMatch(/^ERR_UNDELIVERED: 1 message\(s\) not delivered: given up, /m);
  });

  test("ends well where another member of the queue takes it, and warns", async () => {
    const victim = await stuck("q");
    const pub = start(["pub", "t", "x", "--json"]);
    // Its receipt says that the victim has it: killed before that, nobody could tell that its handler had begun.
    await Promise.all([victim.hasLines(1), pub.hasLines(1)]);
    victim.child.kill("SIGKILL");
    await victim.ended;
    const next = start(["sub", "t", "-q", "q", "--count", "1", "--json"]);
    await Promise.all([next.endsWith(0), pub.endsWith(0)]);
    expect(JSON.parse(next.out).attempt).toBe(2);
    for (const line of pub.err.split("\n").filter((one) => one.includes("ERR_")))
      expect(line).toMatch(/^warning: ERR_CONNECTION_LOST: /);
  });
});

test("a server that takes connections and says nothing does not keep a command that failed", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const doctor = start(["doctor", "--timeout-ms", "300", "--broker", "nats", "--broker-address", `127.0.0.1:${port}`]);
  await doctor.endsWith(1);
  expect(doctor.err).toBe("ERR_CONNECT_FAILED: connect: Connecting took longer than 300 ms.\n");
});

test("a second Ctrl-C ends the process at once", async () => {
  const module = fileURLToPath(new URL("../../dist/cli/stop-signal.js", import.meta.url));
  const script = `import { stopSignal } from ${JSON.stringify(module)};
    setInterval(() => {}, 1_000);
    stopSignal().addEventListener("abort", () => console.error("draining"));
    console.error("running");`;
  const program = new RunningProgram(process.execPath, ["--input-type=module", "--eval", script], {});
  running.push(program);
  await program.says("running");
  program.child.kill("SIGINT");
  await program.says("draining");
  // In the first moment after it, a signal counts as the same key press.
  await until(() => program.child.exitCode !== null || !program.child.kill("SIGINT"), { what: "it has ended" });
  await program.endsWith(130);
});
