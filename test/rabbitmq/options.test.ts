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
      servers: [{ host: "::1", port: 5671 }],
      username: "me",
      password: "s3cr/t",
      vhost: "a/b",
    });
    expect(settings.address).toBe("amqps://[::1]:5671/a%2Fb");
  });

  test("names the nodes of a cluster, with a comma between them", () => {
    const { servers, username, password, vhost, address, broadcastQueues } = settingsOf({
      url: `amqp://me:${SECRET}@one,[::1]:5673,three.test:5674/a%2Fb`,
    });
    expect(servers).toEqual([
      { host: "one", port: 5672, address: "amqp://one:5672/a%2Fb" },
      { host: "::1", port: 5673, address: "amqp://[::1]:5673/a%2Fb" },
      { host: "three.test", port: 5674, address: "amqp://three.test:5674/a%2Fb" },
    ]);
    expect([username, password, vhost, broadcastQueues]).toEqual(["me", "s3cr/t", "a/b", "quorum"]);
    expect(address).toBe("amqp://one:5672,[::1]:5673,three.test:5674/a%2Fb");
  });

  test("has defaults", () => {
    const { servers, username, password, vhost, prefix, address } = settingsOf({});
    expect([servers[0]?.host, servers[0]?.port, username, password, vhost, prefix]).toEqual([
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
    `amqp://me:${SECRET}@localhost,`,
    `amqp://me:${SECRET}@one,,three`,
    `amqp://me:${SECRET}@one,two:port`,
    `amqp://me:${SECRET}@one,me:${SECRET}@two:5672`,
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
    { broadcastQueues: "stream" as "quorum" },
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
