import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestCertificates, testCertificates } from "../support/engines/certificates.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { startNats } from "../support/engines/nats.ts";
import { startRabbitmq } from "../support/engines/rabbitmq.ts";
import { runCommand } from "./in-process.ts";

/** A server that lets in who shows a certificate of its authority. */
function commandsOver(start: (tls: TestCertificates) => Promise<{ url: string; stop(): unknown }>): void {
  let certificates: TestCertificates;
  let server: { url: string; stop(): unknown };

  beforeAll(async () => {
    certificates = await testCertificates();
    server = await start(certificates);
  }, 90_000);

  afterAll(async () => {
    await server?.stop();
    await certificates?.remove();
  });

  test("commands reach it with the files of a certificate, and not without", { timeout: 60_000 }, async () => {
    const { caFile, clientCertFile, clientKeyFile } = certificates;
    const env = { TIDINGS_BROKER: server.url };
    const files = ["--tls-ca-file", caFile, "--tls-cert-file", clientCertFile, "--tls-key-file", clientKeyFile];
    const made = await runCommand(["queues", "create", "cli.tls", "q", "--json", ...files], { env });
    expect([made.status, JSON.parse(made.out)]).toMatchObject([0, { topic: "cli.tls", queue: "q", created: true }]);
    const variables = {
      TIDINGS_TLS_CA_FILE: caFile,
      TIDINGS_TLS_CERT_FILE: clientCertFile,
      TIDINGS_TLS_KEY_FILE: clientKeyFile,
    };
    const listed = await runCommand(["queues", "ls", "--json"], { env: { ...env, ...variables } });
    expect([listed.status, JSON.parse(listed.out)]).toMatchObject([0, [{ topic: "cli.tls", queue: "q" }]]);
    const without = await runCommand(["queues", "ls"], { env });
    expect([without.status, without.err]).toEqual([1, expect.stringMatching(/^ERR_AUTHENTICATION: /)]);
  });
}

describeWithEngine(
  "nats",
  "commands on JetStream over mutual TLS",
  () =>
    commandsOver(async ({ caFile, certFile, keyFile }) => {
      const engine = await startNats({ tls: { caFile, certFile, keyFile } });
      return { url: engine.url, stop: () => engine.stop() };
    }),
  { own: true },
);

describeWithEngine(
  "rabbitmq",
  "commands on RabbitMQ over mutual TLS",
  () =>
    commandsOver(async ({ caFile, certFile, keyFile }) => {
      const engine = await startRabbitmq({ tls: { caFile, certFile, keyFile } });
      return { url: engine.tlsUrl ?? "", stop: () => engine.stop() };
    }),
  { own: true },
);
