import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addSharedOptions } from "../../src/cli/shared-options.ts";
import { resolveBrokerSettings } from "../../src/service/settings/resolve-settings.ts";
import { SETTING_KEYS, SETTINGS } from "../../src/service/settings/table.ts";

describe("the options that every command takes", () => {
  test("are those of the broker, by the keys of the table", () => {
    const command = addSharedOptions(new Command());
    expect(command.options.map(({ long }) => long)).toEqual([
      "--broker",
      "--broker-address",
      "--registry",
      "--registry-address",
      "--wire",
      "--storage",
      "--secure",
      "--tls-ca-file",
      "--tls-cert-file",
      "--tls-key-file",
    ]);
    for (const option of command.options) {
      const key = SETTING_KEYS.find((one) => one === option.attributeName());
      expect(option.long).toBe(SETTINGS[key ?? "secret"].flag);
      expect(option.description).toContain(SETTINGS[key ?? "secret"].variable);
    }
  });

  test("become settings by the rules of services, without what concerns services only", () => {
    const args = ["--broker-address", "flag:1", "--wire", "tidings"];
    const command = addSharedOptions(new Command()).parse(args, { from: "user" });
    const env = {
      TIDINGS_BROKER: "nats",
      TIDINGS_WIRE: "go-micro",
      TIDINGS_SECRET: "word",
      TIDINGS_SECURE: "true",
      MICRO_REGISTRY: "consul",
      TIDINGS_SERVER_NAME: "billing",
      TIDINGS_DRAIN_TIMEOUT_MS: "soon",
    };
    expect(resolveBrokerSettings(command.opts(), env)).toEqual({
      broker: "nats://flag:1",
      brokerOptions: { wire: "tidings", secret: "word", secure: true, registry: "consul" },
    });
  });
});
