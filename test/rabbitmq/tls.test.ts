import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import { silentLogger } from "../../src/logger.ts";
import { type TestCertificates, testCertificates } from "../support/engines/certificates.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";

describeWithEngine(
  "rabbitmq",
  "RabbitMQ over TLS",
  () => {
    let engine: RabbitmqEngine;
    let certificates: TestCertificates;

    beforeAll(async () => {
      certificates = await testCertificates();
      engine = await startRabbitmq({ tls: certificates });
    }, 60_000);

    afterAll(async () => {
      await engine.stop();
      await certificates.remove();
    });

    const open = (tls: ConnectionOptions, url = engine.tlsUrl ?? "") =>
      createBroker(rabbitmq({ url, tls }), { logger: silentLogger, connectTimeoutMs: 5_000 });

    const authority = () => ({ ca: readFileSync(certificates.caFile) });
    const own = () => ({
      ...authority(),
      cert: readFileSync(certificates.clientCertFile),
      key: readFileSync(certificates.clientKeyFile),
    });

    test("publishes and receives, with certificates on both sides", async () => {
      const broker = open(own());
      await broker.connect();
      expect(broker.address).toMatch(/^amqps:\/\/127\.0\.0\.1:\d+$/);
      const seen: string[] = [];
      await broker.subscribe("a.b", (delivery) => void seen.push(delivery.text()), { queue: "q" });
      const large = "x".repeat(300_000);
      for (const body of ["one", large, "two"]) await broker.publish("a.b", { body });
      await vi.waitFor(() => expect(seen).toEqual(["one", large, "two"]));
      await broker.disconnect();
    });

    test.each([
      ["an unknown authority", () => ({})],
      ["another name", () => ({ ...own(), servername: "elsewhere.example" })],
    ])("refuses a server with %s at once", async (_, tls) => {
      const broker = open({ servername: "localhost", ...tls() });
      const startedAt = performance.now();
      await expect(broker.connect()).rejects.toMatchObject({
        code: "ERR_AUTHENTICATION",
        retryable: false,
        message: expect.stringMatching(/certificate|altnames/),
      });
      expect(performance.now() - startedAt).toBeLessThan(4_000);
    });

    test("without a certificate of its own is ERR_AUTHENTICATION where the server asks for one", async () => {
      await expect(open(authority()).connect()).rejects.toMatchObject({ code: "ERR_AUTHENTICATION" });
    });

    test("to a port without TLS, and without TLS to a port with it, cannot connect", async () => {
      const [plain, secure] = [new URL(engine.url), new URL(engine.tlsUrl ?? "")];
      const swapped = [open(own(), plain.href.replace("amqp:", "amqps:"))];
      swapped.push(
        createBroker(secure.href.replace("amqps:", "amqp:"), { logger: silentLogger, connectTimeoutMs: 1_000 }),
      );
      for (const broker of swapped)
        await expect(broker.connect()).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    });
  },
  { own: true },
);
