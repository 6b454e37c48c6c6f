import { afterEach, describe, expect, test } from "vitest";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { runCommand, startCommand } from "./in-process.ts";
import { type OwnFolder, ownFolder } from "./tidings-process.ts";

let brokers = 0;
let folder: OwnFolder | undefined;

afterEach(() => {
  folder?.remove();
  folder = undefined;
});

function fresh(): string {
  brokers += 1;
  return `memory:doctor-${brokers}`;
}

function checksOf(out: string): Map<string, Finding> {
  return new Map((JSON.parse(out).checks as Finding[]).map((finding) => [finding.check, finding]));
}

describe("doctor", () => {
  test("says line by line what works, with advice where something could be better", async () => {
    const url = fresh();
    const { status, out, err } = await runCommand(["doctor"], { env: { TIDINGS_BROKER: url } });
    expect([status, err]).toEqual([0, ""]);
    expect(out).toMatch(new RegExp(`^ok       connect          memory ${url} in \\d+ ms$`, "m"));
    expect(out).toMatch(/^ok {7}server +there is none$/m);
    expect(out).toMatch(/^ok {7}guarantee +at least once/m);
    expect(out).toMatch(/^warning {2}processes +messages stay within one process\n {26}Use http, nats or rabbitmq/m);
    expect(out).toMatch(/^ok {7}round trip +a message was published \(accepted\) and came back in \d+ ms$/m);
    expect(out).toMatch(/^ok {7}waiting +0 queue\(s\)/m);
    expect(out).toMatch(/^ok {7}failed +no dead letters$/m);
    expect(out).toMatch(/^ok {7}disconnect +nothing was left behind\n$/m);
  });

  test("as one line of JSON for machines, with the capabilities", async () => {
    folder = ownFolder();
    const { status, out } = await runCommand(["doctor", "--json", "--registry-address", folder.path]);
    expect(status).toBe(0);
    expect(out.trim().split("\n")).toHaveLength(1);
    const report = JSON.parse(out);
    expect(report).toMatchObject({
      broker: "http",
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      server: null,
      capabilities: { guarantee: "at-least-once", durable: false, processes: true },
    });
    for (const finding of report.checks) {
      expect(finding).toMatchObject({
        check: expect.any(String),
        status: expect.stringMatching(/^(ok|warning|failure)$/),
        message: expect.any(String),
      });
      if (finding.status !== "ok") expect(finding.advice, finding.check).toEqual(expect.any(String));
    }
  });

  test("warns of messages that nobody takes, and of dead letters", async () => {
    const url = fresh();
    const owner = createBroker(url, { logger: silentLogger, onError: () => {} });
    await owner.connect();
    await owner.createQueue("t", "q");
    await owner.publish("t", { body: "x" });
    const failing = await owner.subscribe("u", (delivery) => delivery.reject("no"), { autoAck: false });
    await owner.publish("u", { body: "x" });
    await until(async () => (await owner.deadLetters.list("u")).length === 1, { what: "a dead letter" });
    await failing.unsubscribe();
    const { status, out } = await runCommand(["doctor", "--json"], { env: { TIDINGS_BROKER: url } });
    expect(status).toBe(0);
    const checks = checksOf(out);
    expect(checks.get("waiting")).toMatchObject({ status: "warning", message: expect.stringContaining("q of t (1)") });
    expect(checks.get("failed")).toMatchObject({ status: "warning", message: "dead letters in dlq.u (1)" });
    await owner.queues.remove("t", "q");
    await owner.deadLetters.drop("u");
    await owner.disconnect();
  });

  test("has status 1 where it cannot connect, and says what to do", async () => {
    const args = ["doctor", "--broker", "nats", "--broker-address", "127.0.0.1:1"];
    const text = await runCommand(args);
    expect(text.status).toBe(1);
    expect(text.out).toMatch(/^failure {2}connect +.*127\.0\.0\.1:1.*\n {26}Check that --broker-address .*nats-server/);
    expect(text.err).toMatch(/^ERR_CONNECT_FAILED: connect: [^\n]+\n$/);
    const json = await runCommand([...args, "--json"]);
    expect(json.status).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      broker: "nats",
      server: null,
      capabilities: null,
      checks: [{ check: "connect", status: "failure", code: "ERR_CONNECT_FAILED" }],
    });
  });

  test("tells a setting that the broker refuses as a failure, and wrong usage as status 2", async () => {
    const refused = await runCommand(["doctor", "--broker", "nats", "--wire", "go-micro"]);
    expect(refused).toMatchObject({ status: 1, err: expect.stringMatching(/^ERR_UNSUPPORTED: /) });
    const wrong = await runCommand(["doctor", "--timeout-ms", "soon"]);
    expect(wrong).toMatchObject({
      status: 2,
      out: "",
      err: expect.stringMatching(/^ERR_INVALID_OPTION: --timeout-ms/),
    });
  });

  test("ends when it is interrupted", async () => {
    const args = ["doctor", "--broker", "nats", "--broker-address", "127.0.0.1:1", "--timeout-ms", "60000"];
    const { terminal, ended } = startCommand(args);
    terminal.interrupt();
    expect(await ended).toBe(1);
    expect(terminal.err()).toMatch(/^ERR_NOT_CONNECTED: Interrupted/);
  });
});
