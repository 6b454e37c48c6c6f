import { describe, expect, test } from "vitest";
import { createBroker, createDefaultBroker } from "../../src/create-broker.ts";
import { memory } from "../../src/drivers/memory/index.ts";
import { silentLogger } from "../../src/logger.ts";

const invalid = (part: string | RegExp) =>
  expect.objectContaining({ code: "ERR_INVALID_OPTION", message: expect.stringMatching(part) });

describe("createBroker", () => {
  test.each([
    ["http://127.0.0.1:0", "http"],
    ["http", "http"],
    ["memory:", "memory"],
    ["memory:orders", "memory"],
    ["nats://127.0.0.1:4222", "nats"],
    ["nats+core://127.0.0.1:4222", "nats+core"],
    ["amqp://127.0.0.1:5672", "rabbitmq"],
    ["rabbitmq", "rabbitmq"],
  ])("knows the name of %s at once", (url, name) => {
    expect(createBroker(url).name).toBe(name);
  });

  test.each(["nats://me:pass@127.0.0.1:1", "nats+core://me:pass@127.0.0.1:1", "amqp://me:pass@127.0.0.1:1"])(
    "%s is tried until connectTimeoutMs, and shows no password",
    async (url) => {
      const error = await createBroker(url, { connectTimeoutMs: 4_000 })
        .connect()
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ERR_CONNECT_FAILED", message: expect.stringContaining("127.0.0.1:1") });
      expect(String(error)).not.toContain("pass");
    },
  );

  test("an unknown scheme or name lists the known ones, and shows no credentials", () => {
    expect(() => createBroker("carrier-pigeon")).toThrow(invalid("nats\\+core.*rabbitmq"));
    expect(() => createBroker("pigeon://user:pass@host")).toThrow(invalid(/^(?!.*pass).*http:/));
    expect(() => createBroker(7 as never)).toThrow(invalid("a URL, a name or a driver"));
  });

  test("without an argument the environment decides; a wrong one fails the default broker at connect", async () => {
    process.env["TIDINGS_BROKER"] = "memory:env";
    expect(createBroker().name).toBe("memory");
    process.env["TIDINGS_BROKER"] = "pigeon";
    const broker = createDefaultBroker();
    delete process.env["TIDINGS_BROKER"];
    await expect(broker.connect()).rejects.toThrow(invalid("pigeon"));
    expect(createBroker().name).toBe("http");
  });

  test("an option that is undefined, or lacks some of its members, has its defaults", () => {
    const { reconnect, drainTimeoutMs } = createBroker("memory:", {
      drainTimeoutMs: undefined,
      reconnect: { minDelayMs: undefined, maxAttempts: 3 },
    } as never).options;
    expect([reconnect, drainTimeoutMs]).toEqual([{ minDelayMs: 100, maxDelayMs: 2_000, maxAttempts: 3 }, 10_000]);
  });

  test.each([
    [{ colour: "red" }, 'no option "colour"'],
    [{ maxMessageBytes: 0 }, "maxMessageBytes.*whole number, 1 or more, not 0"],
    [{ drainTimeoutMs: -1 }, "drainTimeoutMs"],
    [{ drainTimeoutMs: "5" }, 'drainTimeoutMs.*not "5"'],
    [{ whenFull: "drop" }, '"reject" or "wait"'],
    [{ wire: "grpc" }, "wire"],
    [{ reconnect: { minDelay: 1 } }, "reconnect has no option"],
    [{ onError: true }, "onError.*a function"],
    [{ codec: {} }, "codec"],
    [{ logger: null }, "logger"],
    [{ secret: 12345 }, /^(?!.*12345)/],
  ])("the options %j are refused", (options, message) => {
    expect(() => createBroker("memory:", options as never)).toThrow(invalid(message));
  });

  test.each([
    [{ concurrency: 0 }, "concurrency"],
    [{ maxAttempts: 0.5 }, "maxAttempts"],
    [{ orderBy: "topic" }, "orderBy"],
    [{ ackTimeoutMs: 0 }, "ackTimeoutMs"],
    [{ durable: true }, 'no option "durable"'],
  ])("the subscribe options %j are refused", async (options, message) => {
    await using broker = createBroker(memory());
    await broker.connect();
    await expect(broker.subscribe("t", () => {}, options as never)).rejects.toThrow(invalid(message));
  });

  test("init adds options before connecting and not afterwards", async () => {
    await using broker = createBroker("memory:", { drainTimeoutMs: 1 });
    broker.init({ drainTimeoutMs: 2, logger: silentLogger, acceptTimeoutMs: undefined as never });
    expect(broker.options).toMatchObject({ drainTimeoutMs: 2, acceptTimeoutMs: 5_000 });
    expect(() => broker.init({ drainTimeoutMs: "x" as never })).toThrow(invalid("drainTimeoutMs"));
    await broker.connect();
    expect(() => broker.init({})).toThrow(expect.objectContaining({ code: "ERR_CONNECTED" }));
  });

  test.each([{ storage: "x" }, { secret: "x" }, { tls: {} }, { secure: true }, { wire: "go-micro" }] as const)(
    "the memory broker refuses %j",
    async (options) => {
      await expect(createBroker("memory:", options).connect()).rejects.toThrow(
        expect.objectContaining({
          code: "ERR_UNSUPPORTED",
          message: expect.stringContaining(Object.keys(options)[0] ?? ""),
        }),
      );
    },
  );

  test("the HTTP broker of this version refuses a registry that is to come", async () => {
    await expect(createBroker("http", { registry: "etcd" }).connect()).rejects.toThrow(
      expect.objectContaining({ code: "ERR_UNSUPPORTED" }),
    );
  });

  test("an unknown registry lists the known ones", async () => {
    await expect(createBroker("http", { registry: "phonebook" }).connect()).rejects.toThrow(invalid("local, memory"));
  });

  test("options never show secrets", () => {
    expect(createBroker("http", { secret: "s3cret", tls: { key: "k" } }).options).toMatchObject({
      secret: "[secret]",
      tls: {},
    });
  });
});
