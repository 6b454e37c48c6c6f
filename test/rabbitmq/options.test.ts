import { describe, expect, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { loadClient } from "../../src/drivers/rabbitmq/client.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import { settingsOf } from "../../src/drivers/rabbitmq/options.ts";

const SECRET = "s3cr%2Ft";

describe("the URL", () => {
  test("has user, password, port and virtual host", () => {
    const settings = settingsOf({ url: `amqps://me:${SECRET}@[::1]/a%2Fb` });
    expect(settings).toMatchObject({
      secure: true,
      host: "::1",
      port: 5671,
      username: "me",
      password: "s3cr/t",
      vhost: "a/b",
    });
    expect(settings.address).toBe("amqps://[::1]:5671/a%2Fb");
  });

  test("has defaults", () => {
    const { host, port, username, password, vhost, prefix, address } = settingsOf({});
    expect([host, port, username, password, vhost, prefix]).toEqual([
      "127.0.0.1",
      5672,
      "guest",
      "guest",
      "/",
      "tidings",
    ]);
    expect(address).toBe("amqp://127.0.0.1:5672");
  });

  test.each([
    `http://me:${SECRET}@localhost`,
    `amqp://me:${SECRET}@localhost:port`,
    `amqp://me:${SECRET}@localhost/a/b`,
    `amqp://me:${SECRET}@localhost?heartbeat=1`,
    `amqp://me:%zz${SECRET}@localhost`,
  ])("%s is ERR_INVALID_OPTION that shows no password", (url) => {
    let thrown: unknown;
    try {
      rabbitmq({ url });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "ERR_INVALID_OPTION" });
    expect(String(thrown)).not.toMatch(/s3cr/);
  });
});

describe("the options", () => {
  test.each([
    { prefix: "Not Allowed" },
    { heartbeatMs: 1_500 },
    { confirmWindow: 0 },
    { tls: {} },
    { password: 7 as unknown as string },
    { bogus: true } as object,
  ])("%o are ERR_INVALID_OPTION", (options) => {
    expect(() => rabbitmq(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
  });

  test.each([{ storage: "folder" }, { secret: "secret" }, { secure: true }, { backlogMessages: 1 }])(
    "of other brokers, %o, are ERR_UNSUPPORTED",
    async (options) => {
      const broker = createBroker(rabbitmq({ url: "amqp://127.0.0.1:1" }), options);
      await expect(broker.connect()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    },
  );
});

test("a registry is where services register, on any broker", async () => {
  const broker = createBroker(rabbitmq({ url: "amqp://127.0.0.1:1" }), {
    registry: "memory",
    connectTimeoutMs: 100,
    reconnect: { maxAttempts: 1 },
  });
  await expect(broker.connect()).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
});

test("a client that is not installed is ERR_MISSING_DEPENDENCY that says what to install", async () => {
  const missing = () => Promise.reject(Object.assign(new Error("no such package"), { code: "ERR_MODULE_NOT_FOUND" }));
  await expect(loadClient(missing)).rejects.toMatchObject({
    code: "ERR_MISSING_DEPENDENCY",
    message: expect.stringMatching(/amqplib.*npm install "amqplib@\^2/),
  });
});
