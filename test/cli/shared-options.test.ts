import { describe, expect, test } from "vitest";
import { resolveSettings } from "../../src/cli/settings.ts";

const invalid = expect.objectContaining({ code: "ERR_INVALID_OPTION" });

describe("resolveSettings", () => {
  const micro = {
    MICRO_BROKER: "rabbitmq",
    MICRO_BROKER_ADDRESS: "micro:1",
    MICRO_REGISTRY: "consul",
    MICRO_REGISTRY_ADDRESS: "micro:2",
  };
  const own = {
    TIDINGS_BROKER: "nats",
    TIDINGS_BROKER_ADDRESS: "own:1",
    TIDINGS_REGISTRY: "etcd",
    TIDINGS_REGISTRY_ADDRESS: "own:2",
  };

  test("takes go-micro's variables where there are no others", () => {
    expect(resolveSettings({}, micro)).toMatchObject({
      broker: "amqp://micro:1",
      registry: "consul",
      registryAddress: "micro:2",
    });
  });

  test("lets Tidings' variables win over go-micro's", () => {
    expect(resolveSettings({}, { ...micro, ...own })).toMatchObject({
      broker: "nats://own:1",
      registry: "etcd",
      registryAddress: "own:2",
    });
  });

  test("lets flags win over both", () => {
    const flags = { broker: "nats+core", brokerAddress: "flag:1", registry: "local", registryAddress: "/folder" };
    expect(resolveSettings(flags, { ...micro, ...own })).toMatchObject({
      broker: "nats+core://flag:1",
      registry: "local",
      registryAddress: "/folder",
    });
  });

  test("resolves each setting by itself", () => {
    expect(resolveSettings({ broker: "nats" }, micro)).toMatchObject({ broker: "nats://micro:1", registry: "consul" });
    expect(resolveSettings({ brokerAddress: "flag:1" }, { TIDINGS_BROKER: "nats" })).toMatchObject({
      broker: "nats://flag:1",
    });
  });

  test("takes wire and storage from flags and Tidings' variables", () => {
    expect(resolveSettings({}, { TIDINGS_WIRE: "go-micro", TIDINGS_STORAGE: "box" })).toMatchObject({
      wire: "go-micro",
      storage: "box",
    });
    expect(resolveSettings({ wire: "tidings" }, { TIDINGS_WIRE: "go-micro" })).toMatchObject({ wire: "tidings" });
    expect(() => resolveSettings({ wire: "morse" }, {})).toThrow(/tidings, go-micro/);
  });

  test("counts an empty variable as not set, and refuses an empty flag", () => {
    expect(resolveSettings({}, { TIDINGS_BROKER: "", MICRO_BROKER: "memory" })).toMatchObject({ broker: "memory" });
    expect(() => resolveSettings({ broker: "" }, {})).toThrow(invalid);
  });

  test("takes a password from the environment, never from a flag, and does not repeat it", () => {
    const url = "nats://me:word@host:4222";
    expect(resolveSettings({}, { TIDINGS_BROKER: url }).broker).toBe(url);
    for (const flags of [{ broker: url }, { registryAddress: "http://me:word@host:1" }]) {
      expect(() => resolveSettings(flags, {})).toThrow(
        expect.objectContaining({ code: "ERR_INVALID_OPTION", message: expect.not.stringContaining("word@") }),
      );
    }
  });
});
