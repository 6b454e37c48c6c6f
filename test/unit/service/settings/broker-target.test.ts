import { describe, expect, test } from "vitest";
import { brokerTarget, type Ranked } from "../../../../src/service/settings/broker-target.ts";

const flag = (value: string): Ranked<string> => ({ value, rank: 0, source: "--flag" });
const variable = (value: string): Ranked<string> => ({ value, rank: 1, source: "VARIABLE" });
const refusal = (text: string) =>
  expect.objectContaining({ code: "ERR_INVALID_OPTION", message: expect.stringContaining(text) });

describe("brokerTarget", () => {
  test("is nothing when nothing is given", () => {
    expect(brokerTarget(undefined, undefined)).toBeUndefined();
  });

  test("passes a name or URL on", () => {
    expect(brokerTarget(flag("memory"), undefined)).toBe("memory");
    expect(brokerTarget(flag("http://127.0.0.1:7000"), undefined)).toBe("http://127.0.0.1:7000");
  });

  test.each([
    ["nats", "127.0.0.1:4222", "nats://127.0.0.1:4222"],
    ["nats+core", "host:4222", "nats+core://host:4222"],
    ["rabbitmq", "[::1]:5672", "amqp://[::1]:5672"],
    ["http", "127.0.0.1:0", "http://127.0.0.1:0"],
    ["http:", "127.0.0.1:0", "http://127.0.0.1:0"],
    ["http", "17000", "http://127.0.0.1:17000"],
    ["nats", "nats://4222", "nats://127.0.0.1:4222"],
    ["nats", "nats://127.0.0.1:4222", "nats://127.0.0.1:4222"],
  ])("makes a URL of %s and %s", (name, address, url) => {
    expect(brokerTarget(flag(name), flag(address))).toBe(url);
    expect(brokerTarget(flag(name), variable(address))).toBe(url);
    expect(brokerTarget(variable(name), flag(address))).toBe(url);
  });

  test("takes an address alone for the embedded broker's", () => {
    expect(brokerTarget(undefined, flag("127.0.0.1:7000"))).toBe("http://127.0.0.1:7000");
  });

  test("lets a stronger address replace that of a URL, and passes a weaker one over", () => {
    expect(brokerTarget(variable("nats://me:secret@one:1/x"), flag("two:2"))).toBe("nats://me:secret@two:2/x");
    expect(brokerTarget(variable("nats://me:s@cret@one:1"), flag("two:2"))).toBe("nats://me:s@cret@two:2");
    expect(brokerTarget(flag("nats://one:1"), variable("two:2"))).toBe("nats://one:1");
    expect(brokerTarget(flag("memory:shared"), variable("two:2"))).toBe("memory:shared");
  });

  test("refuses a URL and an address from one source", () => {
    expect(() => brokerTarget(flag("nats://one:1"), flag("two:2"))).toThrow(refusal("leave --flag out"));
  });

  test("refuses an address for a broker that has none", () => {
    expect(() => brokerTarget(flag("memory"), flag("127.0.0.1:1"))).toThrow(refusal("memory broker has no address"));
  });

  test.each([
    "a b:1",
    "host:port",
    "host:1/path",
    "user:word@host:1",
    "amqp://host:1",
    "host:123456",
    "a:1:2",
    "123456",
    "65536",
    "host:65536",
    ":17000",
  ])("refuses the address %j", (address) => {
    expect(() => brokerTarget(flag("nats"), variable(address))).toThrow(refusal("VARIABLE takes host:port"));
  });

  test("shows no password of an address", () => {
    expect(() => brokerTarget(flag("nats"), flag("user:word@host:1"))).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("word") }),
    );
  });
});
