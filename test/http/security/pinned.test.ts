import { expect, test } from "vitest";
import { CERTIFICATE_KEY, loadCertificateMaker } from "../../../src/drivers/http/security/pinned.ts";
import { SERVICE_NAMES } from "../../../src/drivers/http/service-names.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { registryFolder } from "../support/brokers.ts";
import { authority, exchange, listener, strangers, tapped } from "./pair.ts";

const secure = true;

function open(): Registry {
  const { secret: _none, ...registry } = memory();
  return registry;
}

test("processes that made certificates for themselves talk, and nothing of it can be read on the way", async () => {
  const folder = await registryFolder();
  const one = await tapped(folder, { secure });
  const other = await tapped(folder, { secure });
  await exchange(one, other);
  const carried = [one, other].flatMap(({ tap }) =>
    tap.connections.flatMap(({ sent, answered }) => [...sent, ...answered]),
  );
  expect(Buffer.concat(carried).toString("latin1")).not.toMatch(/from one|t\.x|tidings-peer|HTTP\/1/i);
  expect([...one.errors, ...other.errors]).toEqual([]);
});

test("each has another certificate, which its record names", async () => {
  const registry = open();
  await listener(registry, { secure });
  await listener(registry, { secure });
  const services = await registry.getService(SERVICE_NAMES.peers);
  const pins = services.flatMap(({ nodes }) => nodes.map(({ metadata }) => metadata[CERTIFICATE_KEY]));
  expect(new Set(pins).size).toBe(2);
  for (const pin of pins) expect(pin).toMatch(/^[0-9a-f]{64}$/);
});

test("a certificate that is not the one of the record is refused, by servers and by clients", async () => {
  // Each finds the other's record with a pin that somebody has changed.
  const registry = open();
  const getService = async (name: string) =>
    (await registry.getService(name)).map((service) => ({
      ...service,
      nodes: service.nodes.map((node) => ({
        ...node,
        metadata: { ...node.metadata, [CERTIFICATE_KEY]: "0".repeat(64) },
      })),
    }));
  const one = await listener({ ...registry, getService }, { secure });
  const both = await strangers(one, await listener({ ...registry, getService }, { secure }));
  for (const said of both)
    expect(said.join("\n")).toMatch(/certificate is not the one that its record names|may not trust the certificate/);
});

test("a record without a certificate does not make a process speak without encryption", async () => {
  const registry = open();
  const [told, said] = await strangers(await listener(registry, { secure }), await listener(registry));
  expect(told.join("\n")).toMatch(/speaks without encryption|came without encryption/);
  expect(said.join("\n")).toMatch(/only encrypted connections are taken here \(secure: true\)/);
});

test("a process that nobody has registered is not let in", async () => {
  const registry = open();
  const one = await listener(registry, { secure });
  // It knows where the other listens, and is in no registry that the other reads.
  const hidden: Registry = { ...open(), getService: (name) => registry.getService(name) };
  const { errors, broker } = await listener(hidden, { secure });
  await until(() => errors.length > 0 && one.errors.length > 0, { what: "both said why" });
  expect(one.errors.map(({ message }) => message).join("\n")).toMatch(
    /its record in the registry names no certificate/,
  );
  expect(errors.map(({ message }) => message).join("\n")).toMatch(/status 401: "this process does not let you in/);
  await broker.publish("t.x", { body: "from nobody" });
  expect(one.heard).toEqual([]);
});

test("with a secret or certificates, secure adds nothing and takes nothing", async () => {
  const registry = open();
  const secret = "a secret of more than sixteen bytes";
  await exchange(await listener(registry, { secure, secret }), await listener(registry, { secret }));
  const { caFile, peerCertFile: certFile, peerKeyFile: keyFile } = await authority();
  const tls = { caFile, certFile, keyFile };
  const another = open();
  await exchange(await listener(another, { secure, tls }), await listener(another, { tls }));
});

test("without the package that makes certificates there is one error, with the command", async () => {
  const missing = loadCertificateMaker(() =>
    Promise.reject(Object.assign(new Error("x"), { code: "ERR_MODULE_NOT_FOUND" })),
  );
  await expect(missing).rejects.toMatchObject({
    code: "ERR_MISSING_DEPENDENCY",
    message: expect.stringContaining('npm install "selfsigned@^5.5.0"'),
  });
  await expect(loadCertificateMaker(() => Promise.reject(new TypeError("broken")))).rejects.toThrow(TypeError);
});
