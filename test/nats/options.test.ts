import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { loadClient } from "../../src/drivers/nats/client.ts";
import { nats, natsCore } from "../../src/drivers/nats/index.ts";
import { type NatsOptions, optionsOfUrl, resolveNatsOptions } from "../../src/drivers/nats/options.ts";
import type { BrokerError } from "../../src/errors.ts";

const SECRET = "hunter2";

function errorOf(run: () => unknown): BrokerError {
  try {
    run();
  } catch (error) {
    return error as BrokerError;
  }
  throw new Error("it did not throw");
}

describe("servers", () => {
  test.each<[string, object]>([
    ["nats://host:4222", { servers: ["host:4222"] }],
    ["nats+core://a:1,b:2/", { servers: ["a:1", "b:2"] }],
    ["nats://u:p%40ss@host:4222", { servers: ["host:4222"], user: "u", password: "p@ss" }],
    ["nats://t%3Aoken@a:1,b:2", { servers: ["a:1", "b:2"], token: "t:oken" }],
    ["nats://[::1]:4222", { servers: ["[::1]:4222"] }],
  ])("%s", (url, expected) => {
    expect(resolveNatsOptions(optionsOfUrl(url), {}, false)).toMatchObject(expected);
  });

  test("tls:// wants TLS", () => {
    expect(resolveNatsOptions({ servers: ["tls://u:p@a:1", "b:2"] }, {}, false)).toMatchObject({
      servers: ["a:1", "b:2"],
      user: "u",
      tls: {},
    });
    expect(resolveNatsOptions({ servers: "nats://a:1" }, {}, false)).not.toHaveProperty("tls");
  });

  test("an option wins over the URL's login only where both are one", () => {
    expect(errorOf(() => resolveNatsOptions({ servers: `u:${SECRET}@host:1`, token: "x" }, {}, false)).code).toBe(
      "ERR_INVALID_OPTION",
    );
  });

  test.each([
    `nats://u:${SECRET}@host:port`,
    `nats://u:${SECRET}@host:70000`,
    `nats://u:${SECRET}@host:1/path`,
    `nats://u:${SECRET}@host:1?token=${SECRET}`,
    `nats://u:${SECRET}@`,
  ])("%s is refused without its secret", (url) => {
    const error = errorOf(() => resolveNatsOptions(optionsOfUrl(url), {}, false));
    expect(error.code).toBe("ERR_INVALID_OPTION");
    expect(inspect(error)).not.toContain(SECRET);
  });
});

describe("options", () => {
  test.each<[string, NatsOptions]>([
    ["token", { token: 7 as never }],
    ["password", { user: "u", password: { [SECRET]: SECRET } as never }],
    ["nkey", { nkey: [SECRET] as never }],
    ["needs a user", { password: SECRET }],
    ["one way", { token: SECRET, nkey: SECRET }],
    ["tls.key", { tls: { key: [SECRET] as never } }],
    ["prefix", { prefix: "a.b" }],
    ["redeliverAfterMs", { redeliverAfterMs: 10 }],
    ["replicas", { replicas: 6 }],
    ["replicas", { replicas: Number.POSITIVE_INFINITY }],
    ["frobnicate", { frobnicate: 1 } as never],
  ])("%s", (name, options) => {
    const error = errorOf(() => nats(options));
    expect(error.code).toBe("ERR_INVALID_OPTION");
    expect(error.message).toContain(name);
    expect(inspect(error)).not.toContain(SECRET);
  });

  test("natsCore() has none that need JetStream", () => {
    expect(errorOf(() => natsCore({ replicas: 3 } as never)).code).toBe("ERR_INVALID_OPTION");
  });

  test.each([
    ["nats://127.0.0.1:1", { wire: "go-micro" as const }, /nats\+core/],
    ["nats://127.0.0.1:1", { storage: "x" }, /storage/],
    ["nats://127.0.0.1:1", { secret: SECRET }, /secret/],
    ["nats://127.0.0.1:1", { backlogBytes: 1 }, /maxBytes/],
    ["nats+core://127.0.0.1:1", { backlogMessages: 1 }, /backlogMessages/],
  ])("%s refuses %j", async (url, options, text) => {
    const error = (await createBroker(url, options)
      .connect()
      .catch((thrown: unknown) => thrown)) as BrokerError;
    expect(error.code).toBe("ERR_UNSUPPORTED");
    expect(error.message).toMatch(text);
    expect(inspect(error)).not.toContain(SECRET);
  });
});

describe("the client package", () => {
  test("that is missing is named, with its version and how to get it", async () => {
    const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    const error = (await loadClient(() => Promise.reject(missing)).catch((thrown: unknown) => thrown)) as BrokerError;
    expect(error.code).toBe("ERR_MISSING_DEPENDENCY");
    expect(error.message).toContain('npm install "@nats-io/transport-node@^3.3.1"');
  });

  test("that is broken says so itself", async () => {
    await expect(loadClient(() => Promise.reject(new SyntaxError("broken")))).rejects.toThrow("broken");
  });
});
