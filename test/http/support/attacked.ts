import { expect } from "vitest";
import type { SubscribeOptions } from "../../../src/broker-options.ts";
import type { Handler } from "../../../src/delivery.ts";
import type { HttpLimits } from "../../../src/drivers/http/index.ts";
import { local } from "../../../src/registries/local/index.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { type OpenBroker, openBroker, registryFolder } from "./brokers.ts";
import { WirePeer, type WirePeerOptions } from "./wire-peer.ts";

/** A broker with a subscription to `t.x`, the secret of its registry, and peers made by hand. */
export interface Attacked extends OpenBroker {
  readonly folder: string;
  readonly address: string;
  readonly secret: Uint8Array;
  /** What the subscription heard, in the order of handler starts. */
  readonly heard: string[];
  /** A peer that has shaken hands as it should. */
  trusted(options?: WirePeerOptions & { lastNumber?: number }): Promise<WirePeer>;
  /** Nothing of the attack was delivered, and a normal publish of another process is. */
  survived(): Promise<void>;
}

/** Opens a broker that a test attacks. */
export async function attacked(
  limits: HttpLimits = {},
  maxMessageBytes = 10_000,
  handler: Handler = () => {},
  options: SubscribeOptions = {},
): Promise<Attacked> {
  const folder = await registryFolder();
  const registry = local({ folder });
  const opened = await openBroker(folder, { limits }, { maxMessageBytes });
  const heard: string[] = [];
  await opened.broker.subscribe(
    "t.x",
    (delivery) => {
      heard.push(delivery.text());
      return handler(delivery);
    },
    options,
  );
  const secret = (await registry.secret?.()) as Uint8Array;
  const { address } = opened.broker;
  const survived = async () => {
    const before = heard.length;
    const { broker } = await openBroker(folder);
    await broker.publish("t.x", { body: "fine" });
    await until(() => heard.length > before, { what: "a normal publish arrived" });
    expect(heard.slice(before)).toEqual(["fine"]);
  };
  return {
    ...opened,
    folder,
    address,
    secret,
    heard,
    trusted: (more) => WirePeer.ready(address, secret, more),
    survived,
  };
}
