import { describe, expect, test } from "vitest";
import { namespaceRefusal } from "../../interop/namespace.mjs";
import type { HttpOptions } from "../../src/drivers/http/index.ts";
import type { Service } from "../../src/registry.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { Host } from "./support/host.ts";

const TIMEOUT = { timeout: 60_000 };

const refusal = namespaceRefusal();
// Said, so that nobody takes it for passed.
if (refusal !== undefined) process.stdout.write(`two hosts: skipped: ${refusal}\n`);

/** A service with a node at each of the addresses, which are their ids as well. */
function greeter(...addresses: string[]): Service {
  const nodes = addresses.map((address) => ({ id: address.replaceAll(/[.:]/g, "-"), address, metadata: {} }));
  return { name: "greeter", version: "1", metadata: {}, endpoints: [], nodes };
}

/** The addresses of the service, as a host sees it. */
async function addressesAt(host: Host, command: "find" | "findBeside" = "find"): Promise<string[]> {
  const services = await host.ask<Service[]>(command, { name: "greeter" });
  return services.flatMap(({ nodes }) => nodes.map(({ address }) => address)).sort();
}

/** Waits until a host sees exactly these. */
async function sees(host: Host, addresses: readonly string[]): Promise<void> {
  let last: string[] = [];
  await until(
    async () => {
      last = await addressesAt(host);
      return last.join() === [...addresses].sort().join();
    },
    { what: `${host.address} sees [${addresses.join(", ")}]`, detail: () => last.join() },
  );
}

/** Sends one message from one host to the other over the HTTP broker. */
async function sendAcross(own: HttpOptions): Promise<readonly [Host, Host]> {
  const [here, there] = await Host.pair();
  for (const host of [here, there]) {
    const address = await host.ask<string>("connect", { http: { address: `${host.address}:0`, ...own } });
    expect(address).toMatch(new RegExp(`^${host.address}:\\d+$`));
  }
  await here.ask("subscribe", { topic: "greetings" });
  await there.ask("publish", { topic: "greetings", text: "hello over there" });
  await until(() => here.told("got").length > 0, { what: "the message came across" });
  expect(here.told("got")).toEqual([{ event: "got", text: "hello over there" }]);
  return [here, there];
}

describe.skipIf(refusal !== undefined)("two hosts on one network", () => {
  test("find each other, and a goodbye takes the node away", TIMEOUT, async () => {
    const [here, there] = await Host.pair();
    const [ofHere, ofThere] = [`${here.address}:7000`, `${there.address}:7000`];
    await there.ask("watch", { name: "greeter" });
    await here.ask("register", { service: greeter(ofHere) });
    await there.ask("register", { service: greeter(ofThere) });
    await sees(there, [ofHere, ofThere]);
    await sees(here, [ofHere, ofThere]);
    expect((await there.ask<Service[]>("list")).map(({ name }) => name)).toEqual(["greeter"]);
    await here.ask("deregister", { service: greeter(ofHere) });
    const gone = { event: "change", action: "delete", ids: greeter(ofHere).nodes.map(({ id }) => id) };
    await until(() => there.told("change").some(({ action }) => action === "delete"), { what: "the watch saw it go" });
    expect(there.told("change")).toContainEqual({ ...gone, action: "create" });
    expect(there.told("change").filter(({ action }) => action === "delete")).toEqual([gone]);
    // It was the goodbye that said so, over the cable.
    expect(there.told("heard").filter(({ from, ttl }) => from === here.address && ttl === 0).length).toBeGreaterThan(0);
    await sees(there, [ofThere]);
    await sees(here, [ofThere]);
  });

  test("do not believe each other's loopback addresses, which mean another machine", TIMEOUT, async () => {
    const [here, there] = await Host.pair();
    const service = greeter("127.0.0.1:7000", "localhost:7001", `${here.address}:7002`);
    await there.ask("watch", { name: "greeter" });
    await here.ask("register", { service });
    const heard = () => new Set(there.told("heard").map(({ name }) => name));
    await until(() => heard().size === 3, {
      what: "the other host heard of all three",
      detail: () => [...heard()].join(),
    });
    await sees(there, [`${here.address}:7002`]);
    expect(there.told("change")).toEqual([{ event: "change", action: "create", ids: [service.nodes[2]?.id] }]);
    // Another process of the same host may believe them.
    expect(await addressesAt(here, "findBeside")).toEqual(service.nodes.map(({ address }) => address).sort());
  });

  test("exchange a message with a secret, and without a warning", TIMEOUT, async () => {
    const [here, there] = await sendAcross({ secret: "a secret of thirty-two characters" });
    expect([...here.told("warned"), ...there.told("warned")]).toEqual([]);
  });

  test("exchange a message without a secret, and are warned", TIMEOUT, async () => {
    for (const host of await sendAcross({})) {
      const [warning, ...others] = host.told("warned").map(({ text }) => String(text));
      expect(others).toEqual([]);
      expect(warning).toContain(`listens on ${host.address}:`);
      expect(warning).toContain("without secret, tls or secure: whoever can reach it can read and change what is sent");
    }
  });
});
