import { readFile } from "node:fs/promises";
import { type RequestOptions, request } from "node:https";
import { describe, expect, test } from "vitest";
import { writeEnvelope } from "../../../src/codecs/go-micro-envelope.ts";
import { parseAddress } from "../../../src/drivers/http/address.ts";
import { BROADCAST_VERSION, SERVICE_NAMES } from "../../../src/drivers/http/service-names.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { Node, Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import type { TestCertificates } from "../../support/engines/certificates.ts";
import { bareServer } from "../support/bare-server.ts";
import { theNode } from "../support/brokers.ts";
import { goPost } from "../support/messages.ts";
import { RawConnection } from "../support/raw.ts";
import { authority, exchange, listener } from "./pair.ts";

/** A registry that go-micro processes may use too. */
function shared(): Registry {
  const { secret: _none, ...registry } = memory();
  return { ...registry, sharedWithGoMicro: true };
}

function peerOf({ caFile, peerCertFile: certFile, peerKeyFile: keyFile }: TestCertificates) {
  return { caFile, certFile, keyFile };
}

async function read({ caFile, peerCertFile, peerKeyFile }: TestCertificates) {
  const [ca, cert, key] = await Promise.all([caFile, peerCertFile, peerKeyFile].map((file) => readFile(file)));
  return { ca, cert, key } as { ca: Buffer; cert: Buffer; key: Buffer };
}

/** Registers a node as go-micro's `broker/http` does with `Secure(true)`. */
async function registerGo(registry: Registry, address: string, secure: "true" | "false"): Promise<void> {
  const nodes = [{ id: `go-${secure}`, address, metadata: { broker: "http", secure, topic: "t.far" } }];
  await registry.register({
    name: SERVICE_NAMES.goMicro,
    version: BROADCAST_VERSION,
    metadata: {},
    endpoints: [],
    nodes,
  });
}

/** Posts a message as a go-micro publisher does; resolves with the status. */
function post({ address, id }: Node, text: string, options: RequestOptions): Promise<number | undefined> {
  const { path, headers } = goPost(id, "t.x", text);
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, ...parseAddress(address), method: "POST", path, headers, agent: false });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    outgoing.end(writeEnvelope({ "Micro-Topic": "t.x" }, Buffer.from(text)));
  });
}

describe("go-micro peers of a broker with certificates", () => {
  test("are asked for by name, then served over TLS where its record says, and the wire between peers is there too", async () => {
    const certificates = await authority();
    const registry = shared();
    const tls = peerOf(certificates);
    const one = await listener(registry, { tls, wire: "go-micro" });
    const node = await theNode(registry);
    expect(node).toMatchObject({
      address: one.broker.address,
      metadata: { broker: "http", secure: "true", topic: "t.x" },
    });
    expect(await post(node, "from go", await read(certificates))).toBe(200);
    await until(() => one.heard.includes("from go"), { what: "it arrived" });
    const plain = await RawConnection.open(node.address);
    expect((await plain.ask(goPost(node.id, "t.x", "in the open"))).status).toBe(401);
    await exchange(one, await listener(registry, { tls }));
    expect(one.heard).not.toContain("in the open");
    expect(one.warnings).toEqual([]);
  });

  test("are let in with a certificate of the authority only", async () => {
    const [ours, theirs] = [await authority(), await authority("theirs")];
    const registry = shared();
    const one = await listener(registry, { tls: peerOf(ours), wire: "go-micro" });
    const node = await theNode(registry);
    const { ca } = await read(ours);
    const { cert, key } = await read(theirs);
    expect(await post(node, "no certificate", { ca })).toBe(401);
    expect(await post(node, "another authority", { ca, cert, key })).toBe(401);
    await until(() => one.errors.length === 2, { what: "both refusals were told" });
    expect(one.errors.map(({ message }) => message)).toEqual([
      expect.stringMatching(/it shows no certificate/),
      expect.stringMatching(/its certificate is not one that this process trusts/),
    ]);
    expect(await post(node, "ours", await read(ours))).toBe(200);
    await until(() => one.heard.length > 0, { what: "the right one arrived" });
    expect(one.heard).toEqual(["ours"]);
  });

  test("are reached over TLS, with this process's certificate, and nobody else is", async () => {
    const certificates = await authority();
    const registry = shared();
    const tls = { ...(await read(certificates)), requestCert: true, rejectUnauthorized: true };
    const [far, open] = [await bareServer(undefined, tls), await bareServer()];
    await registerGo(registry, far.address, "true");
    await registerGo(registry, open.address, "false");
    const one = await listener(registry, { tls: peerOf(certificates), wire: "go-micro" });
    for (let n = 0; n < 3; n += 1) await one.broker.publish("t.far", { body: `to go ${n}` });
    await until(() => far.requests.length === 3, { what: "the go-micro peer got them" });
    expect(far.requests.map(({ head }) => head.split("\r\n")[0])).toEqual(Array(3).fill("POST /?id=go-true HTTP/1.1"));
    expect(open.bytes).toBe("");
    expect(one.warnings).toEqual([
      expect.stringMatching(
        /^The go-micro subscription to t\.far at \S+ gets nothing from here: it is not reached over TLS/,
      ),
    ]);
    expect(one.errors).toEqual([]);
  });

  test("are sent nothing where their certificate is of another authority or for another name", async () => {
    const [ours, theirs] = [await authority(), await authority("theirs")];
    const far = await bareServer(undefined, await read(theirs));
    const named = await bareServer(undefined, await read(ours));
    for (const [{ address }, own, why] of [
      [far, {}, /its certificate is not one that this process trusts/],
      [named, { serverName: "other.tidings.example" }, /its certificate is for another name/],
    ] as const) {
      const registry = shared();
      await registerGo(registry, address, "true");
      const one = await listener(registry, { tls: { ...peerOf(ours), ...own }, wire: "go-micro" });
      await one.broker.publish("t.far", { body: "confidential" });
      await until(() => one.errors.length > 0, { what: "it said why" });
      expect(one.errors[0]).toMatchObject({ code: "ERR_AUTHENTICATION", message: expect.stringMatching(why) });
    }
    expect(far.bytes + named.bytes).toBe("");
  });

  test("are warned of where they are asked for less than the others", async () => {
    const { certFile, keyFile } = await authority();
    const secret = "a secret of more than sixteen bytes";
    const registry = shared();
    const one = await listener(registry, { tls: { certFile, keyFile }, secret, wire: "go-micro" });
    expect(one.warnings).toEqual([
      expect.stringMatching(new RegExp(`go-micro peers are served without proof, on ${one.broker.address},`)),
    ]);
  });
});

test("a go-micro subscription that wants TLS is told of, once, where there is none", async () => {
  const registry = shared();
  const far = await bareServer(undefined, await read(await authority()));
  await registerGo(registry, far.address, "true");
  const one = await listener(registry, { wire: "go-micro" });
  await registerGo(registry, far.address, "true");
  await one.broker.publish("t.x", { body: "to itself" });
  await until(() => one.heard.length === 1, { what: "it heard itself" });
  expect(one.warnings).toEqual([
    expect.stringMatching(
      /^The go-micro subscription to t\.far at \S+ gets nothing from here: it wants TLS, and this broker lacks tls/,
    ),
  ]);
  expect(far.bytes).toBe("");
});
