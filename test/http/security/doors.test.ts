import { describe, expect, test } from "vitest";
import { SERVICE_NAMES } from "../../../src/drivers/http/service-names.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { bareServer } from "../support/bare-server.ts";
import { subscriptionNodes, theNode } from "../support/brokers.ts";
import { goPost } from "../support/messages.ts";
import { RawConnection } from "../support/raw.ts";
import { wireRequest } from "../support/wire-peer.ts";
import { authority, exchange, listener } from "./pair.ts";

const secret = "a secret of more than sixteen bytes";

/** A registry that go-micro processes may use too. */
function shared(): Registry {
  const { secret: _none, ...registry } = memory();
  return { ...registry, sharedWithGoMicro: true };
}

describe("a binding beyond this host", () => {
  const address = "0.0.0.0:0";

  test("without any protection has one clear warning", async () => {
    const { warnings } = await listener(memory(), { address });
    expect(warnings).toEqual([
      expect.stringMatching(
        /listens on 0\.0\.0\.0:\d+, beyond this host, without secret, tls or secure: whoever can reach it/,
      ),
    ]);
  });

  test("with a secret, a certificate of an authority or a generated one has none", async () => {
    const { caFile, peerCertFile: certFile, peerKeyFile: keyFile } = await authority();
    for (const protection of [{ secret }, { secure: true }, { tls: { caFile, certFile, keyFile } }])
      expect((await listener(memory(), { address, ...protection })).warnings).toEqual([]);
  });

  test("on loopback there is nothing to warn of", async () => {
    for (const own of [{}, { address: "127.0.0.2:0" }, { secret }])
      expect((await listener(memory(), own)).warnings).toEqual([]);
  });
});

test("a secret that may be found by trying is warned of, and not shown", async () => {
  const { warnings } = await listener(memory(), { secret: "hunter2" });
  expect(warnings).toEqual([expect.stringMatching(/^(?!.*hunter2).*fewer than 16 bytes/)]);
});

describe("go-micro's wire beside a secret", () => {
  test("is off, in both directions, even in a registry that go-micro shares", async () => {
    const registry = shared();
    const far = await bareServer();
    const nodes = [{ id: "go", address: far.address, metadata: { broker: "http", secure: "false", topic: "t.x" } }];
    await registry.register({ name: SERVICE_NAMES.goMicro, version: "q", metadata: {}, endpoints: [], nodes });
    const one = await listener(registry, { secret });
    await one.broker.publish("t.x", { body: "confidential" });
    await until(() => one.heard.length === 1, { what: "it heard itself" });
    expect(far.requests).toEqual([]);
    expect((await subscriptionNodes(registry)).map(({ id }) => id)).toEqual(["go"]);
    const connection = await RawConnection.open(one.broker.address);
    expect((await connection.ask(goPost("any", "t.x", "hello"))).status).toBe(401);
  });

  test("asked for by name has a door of its own, which the warning names; the wire between peers is not there", async () => {
    const registry = shared();
    const far = await bareServer();
    const nodes = [{ id: "go", address: far.address, metadata: { broker: "http", secure: "false", topic: "t.far" } }];
    await registry.register({ name: SERVICE_NAMES.goMicro, version: "q", metadata: {}, endpoints: [], nodes });
    const one = await listener(registry, { secret, wire: "go-micro" });
    const node = await theNode({
      ...registry,
      getService: async (name) => (await registry.getService(name)).filter(({ version }) => version !== "q"),
    });
    expect(node.address).not.toBe(one.broker.address);
    expect(one.warnings).toEqual([
      expect.stringMatching(new RegExp(`go-micro peers are served without encryption .* on ${node.address},`)),
    ]);
    await one.broker.publish("t.far", { body: "to go" });
    await until(() => far.requests.length === 1, { what: "the go-micro peer got it" });
    const connection = await RawConnection.open(node.address);
    expect((await connection.ask(goPost(node.id, "t.x", "from go"))).status).toBe(200);
    await until(() => one.heard.includes("from go"), { what: "it arrived" });
    const asking = await RawConnection.open(node.address);
    expect((await asking.ask(wireRequest("0".repeat(64)))).status).toBe(400);
    const other = await listener(registry, { secret });
    await exchange(one, other);
    const plain = await RawConnection.open(one.broker.address);
    expect((await plain.ask(goPost(node.id, "t.x", "at the wrong door"))).status).toBe(401);
    expect(one.heard).not.toContain("at the wrong door");
  });
});
