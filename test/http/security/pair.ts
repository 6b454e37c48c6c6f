import { afterAll } from "vitest";
import type { BrokerOptions } from "../../../src/driver.ts";
import type { HttpOptions } from "../../../src/drivers/http/index.ts";
import type { BrokerError } from "../../../src/errors.ts";
import type { Logger } from "../../../src/logger.ts";
import type { Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { type TestCertificates, testCertificates } from "../../support/engines/certificates.ts";
import { type OpenBroker, openBroker } from "../support/brokers.ts";
import { freeAddress, type Tap, tap } from "./tap.ts";

/** A broker with what it heard on `t.x`, and what it warned of. */
export interface Listener extends OpenBroker {
  readonly heard: string[];
  readonly warnings: string[];
}

/** Opens a broker with short deadlines, and a subscription to `t.x`. */
export async function listener(
  where: string | Registry,
  own: HttpOptions = {},
  options: BrokerOptions = {},
): Promise<Listener> {
  const warnings: string[] = [];
  const heard: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (_details, message) => warnings.push(message),
    error() {},
  };
  const short = { acceptTimeoutMs: 300, drainTimeoutMs: 300, logger };
  const opened = await openBroker(where, own, { ...short, ...options });
  await opened.broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
  return { ...opened, heard, warnings };
}

/** Each of the two hears what the other publishes. */
export async function exchange(one: Listener, other: Listener): Promise<void> {
  await one.broker.publish("t.x", { body: "from one" });
  await other.broker.publish("t.x", { body: "from other" });
  for (const { heard } of [one, other])
    await until(() => heard.includes("from one") && heard.includes("from other"), {
      what: "both heard both messages",
      detail: () => JSON.stringify({ heard, errors: [...one.errors, ...other.errors].map(({ message }) => message) }),
    });
}

/** Neither hears what the other publishes, and each said why. Returns what each said. */
export async function strangers(one: Listener, other: Listener): Promise<[string[], string[]]> {
  const told = ({ errors }: { errors: BrokerError[] }) => errors.filter(({ code }) => code === "ERR_AUTHENTICATION");
  for (const side of [one, other])
    await until(() => told(side).length > 0, {
      what: "both said why they do not talk",
      detail: () => JSON.stringify([one.errors, other.errors].map((errors) => errors.map(({ message }) => message))),
    });
  await one.broker.publish("t.x", { body: "from one" });
  await other.broker.publish("t.x", { body: "from other" });
  await until(() => one.heard.length > 0 && other.heard.length > 0, { what: "each heard itself" });
  // Two more look-ups and dials, which must not be two more complaints.
  for (const { broker } of [one, other]) await broker.subscribe("t.y", () => {});
  if (one.heard.includes("from other") || other.heard.includes("from one")) throw new Error("a message got through");
  return [told(one).map(({ message }) => message), told(other).map(({ message }) => message)];
}

const authorities = new Map<string, Promise<TestCertificates>>();

afterAll(async () => {
  for (const made of authorities.values()) await (await made).remove();
});

/** Certificates of an authority, one for each name; removed after the file's last test. */
export function authority(name: "ours" | "theirs" = "ours"): Promise<TestCertificates> {
  const made = authorities.get(name) ?? testCertificates();
  authorities.set(name, made);
  return made;
}

/** A broker that its peers reach through somebody who hears everything. */
export async function tapped(
  where: string | Registry,
  own: HttpOptions = {},
): Promise<Listener & { readonly tap: Tap }> {
  const between = await tap();
  between.target = await freeAddress();
  const opened = await listener(where, { ...own, address: between.target, advertise: between.address });
  return { ...opened, tap: between };
}
