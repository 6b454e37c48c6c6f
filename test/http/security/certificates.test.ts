import { readFile } from "node:fs/promises";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { parseAddress } from "../../../src/drivers/http/address.ts";
import type { HttpTlsOptions } from "../../../src/drivers/http/index.ts";
import { http } from "../../../src/drivers/http/index.ts";
import { SERVICE_NAMES } from "../../../src/drivers/http/service-names.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import type { TestCertificates } from "../../support/engines/certificates.ts";
import { openBroker, registryFolder } from "../support/brokers.ts";
import { RawConnection } from "../support/raw.ts";
import { authority, exchange, listener, strangers, tapped } from "./pair.ts";
import { freeAddress, listening } from "./tap.ts";

function peerOf({
  caFile,
  peerCertFile: certFile,
  peerKeyFile: keyFile,
}: TestCertificates): Required<Pick<HttpTlsOptions, "caFile" | "certFile" | "keyFile">> {
  return { caFile, certFile, keyFile };
}

/** A registry without a secret: nothing but the certificates counts. */
function open(): Registry {
  const { secret: _none, ...registry } = memory();
  return registry;
}

describe("with certificates of one authority", () => {
  test("processes talk, and nothing of it can be read on the way", async () => {
    const registry = open();
    const tls = peerOf(await authority());
    const one = await tapped(registry, { tls });
    const other = await tapped(registry, { tls });
    await one.broker.publish("t.x", { header: { "x-plain": "readable header" }, body: "readable body" });
    await until(() => other.heard.includes("readable body"), { what: "the message arrived" });
    await exchange(one, other);
    const carried = [one, other].flatMap(({ tap }) =>
      tap.connections.flatMap(({ sent, answered }) => [...sent, ...answered]),
    );
    expect(Buffer.concat(carried).toString("latin1")).not.toMatch(/readable|t\.x|tidings-peer|HTTP\/1/i);
    expect([...one.errors, ...other.errors]).toEqual([]);
  });

  test("given as text they do as well, and a secret is proved within the encryption", async () => {
    const files = peerOf(await authority());
    const [ca, cert, key] = (await Promise.all(
      [files.caFile, files.certFile, files.keyFile].map((path) => readFile(path, "utf8")),
    )) as [string, string, string];
    const secret = "a secret of more than sixteen bytes";
    const registry = open();
    await exchange(
      await listener(registry, { tls: { ca, cert, key }, secret }),
      await listener(registry, { tls: files, secret }),
    );
  });

  test("a process that has certificates but not the secret is refused, on both sides", async () => {
    const tls = peerOf(await authority());
    const registry = open();
    const secret = "a secret of more than sixteen bytes";
    const [told, said] = await strangers(
      await listener(registry, { tls, secret }),
      await listener(registry, { tls, secret: `${secret}!` }),
    );
    expect(told.join("\n")).toMatch(/could not prove that it knows the shared secret/);
    expect(said.join("\n")).toMatch(/could not prove that it knows the shared secret/);
  });

  test("the name that all certificates have may stand for their addresses", async () => {
    const tls = { ...peerOf(await authority()), serverName: "peer.tidings.example" };
    const registry = open();
    await exchange(await listener(registry, { tls }), await listener(registry, { tls }));
  });

  test("a certificate for another name is refused", async () => {
    const tls = { ...peerOf(await authority()), serverName: "other.tidings.example" };
    const registry = open();
    const both = await strangers(await listener(registry, { tls }), await listener(registry, { tls }));
    for (const said of both) expect(said.join("\n")).toMatch(/its certificate is for another name/);
  });
});

describe("both sides say once why they do not talk", () => {
  test("when one has a certificate of another authority", async () => {
    const [ours, theirs] = [peerOf(await authority()), peerOf(await authority("theirs"))];
    const registry = open();
    // It takes our certificates for good, and shows one that we do not.
    const tls = { ...theirs, caFile: ours.caFile };
    const [told, said] = await strangers(await listener(registry, { tls: ours }), await listener(registry, { tls }));
    expect(told.join("\n")).toMatch(/its certificate is not one that this process trusts/);
    expect(said.join("\n")).toMatch(
      /does not let you in: its certificate is not one|not trust the certificate of this process/,
    );
    for (const each of [told, said]) expect(new Set(each).size).toBe(each.length);
  });

  test("when each has an authority of its own", async () => {
    const registry = open();
    const one = await listener(registry, { tls: peerOf(await authority()) });
    const both = await strangers(one, await listener(registry, { tls: peerOf(await authority("theirs")) }));
    for (const said of both) expect(said.join("\n")).toMatch(/its certificate is not one that this process trusts/);
  });

  test("when one has none", async () => {
    const folder = await registryFolder();
    const [told, said] = await strangers(
      await listener(folder, { tls: peerOf(await authority()) }),
      await listener(folder),
    );
    expect(told.join("\n")).toMatch(/came without encryption, and this process has the option tls/);
    expect(told.join("\n")).toMatch(/speaks without encryption, and this process has the option tls/);
    expect(said.join("\n")).toMatch(/only encrypted connections are taken here \(the option tls\)/);
  });

  test("when one has a certificate for servers only", async () => {
    const ours = await authority();
    const registry = open();
    const tls = { caFile: ours.caFile, certFile: ours.certFile, keyFile: ours.keyFile };
    const one = await listener(registry, { tls: peerOf(ours) });
    await listener(registry, { tls });
    await until(
      () =>
        one.errors.some(({ message }) =>
          /INVALID_PURPOSE|UNSUPPORTED_CERT|not one that this process trusts/.test(message),
        ),
      {
        what: "its purpose was looked at",
        detail: () => one.errors.map(({ message }) => message).join("\n"),
      },
    );
  });
});

test("an impostor with a certificate of another authority is sent nothing", async () => {
  const theirs = await authority("theirs");
  const [cert, key] = await Promise.all([readFile(theirs.peerCertFile), readFile(theirs.peerKeyFile)]);
  const received: string[] = [];
  const server = createTlsServer({ cert, key }, (socket) => socket.on("data", (data) => received.push(String(data))));
  server.on("tlsClientError", () => {});
  const registry = open();
  const nodes = [{ id: "impostor", address: await listening(server), metadata: {} }];
  await registry.register({ name: SERVICE_NAMES.peers, version: "1", metadata: {}, endpoints: [], nodes });
  const { errors, broker } = await listener(registry, { tls: peerOf(await authority()) });
  await until(() => errors.length > 0, { what: "it was found out" });
  await broker.publish("t.confidential", { body: "confidential" });
  expect(errors[0]).toMatchObject({
    code: "ERR_AUTHENTICATION",
    message: expect.stringMatching(/not one that this process trusts/),
  });
  expect(received).toEqual([]);
});

test("somebody between two processes who has a certificate of the authority, but not the secret, passes nothing on", async () => {
  const ours = await authority();
  const [ca, cert, key] = await Promise.all([
    readFile(ours.caFile),
    readFile(ours.peerCertFile),
    readFile(ours.peerKeyFile),
  ]);
  const target = await freeAddress();
  let relayed = "";
  // Encrypted on both sides, and read in between.
  const between = createTlsServer({ ca, cert, key }, (near) => {
    const far = connectTls({ ...parseAddress(target), ca, cert, key });
    near.on("data", (data: Buffer) => {
      relayed += data.toString("latin1");
      far.write(data);
    });
    far.on("data", (data: Buffer) => {
      relayed += data.toString("latin1");
      near.write(data);
    });
    for (const [socket, other] of [[near, far] as const, [far, near] as const])
      socket.on("error", () => other.destroy()).on("close", () => other.destroy());
  });
  between.on("tlsClientError", () => {});
  const advertise = await listening(between);
  const secret = "a secret of more than sixteen bytes";
  const [registry, tls] = [open(), peerOf(ours)];
  const one = await listener(registry, { tls, secret, address: target, advertise });
  // It is dialled only: nobody can reach it, so that everything goes through the one between.
  const other = await listener(registry, { tls, secret, advertise: "127.0.0.1:1" });
  await until(
    () => other.errors.some(({ message }) => /could not prove that it knows the shared secret/.test(message)),
    { what: "the relay was found out" },
  );
  await other.broker.publish("t.x", { body: "confidential" });
  expect(relayed).toMatch(/HTTP\/1\.1 101 /);
  expect(relayed).not.toContain("confidential");
  expect(one.heard).toEqual([]);
});

test("without an authority only servers show certificates, and a wide binding is warned of", async () => {
  const { peerCertFile: certFile, peerKeyFile: keyFile } = await authority();
  const { warnings, broker } = await listener(open(), { tls: { certFile, keyFile }, address: "0.0.0.0:0" });
  expect(warnings).toEqual([expect.stringMatching(/asks nobody for a proof: .* tls\.ca/)]);
  const connection = await RawConnection.open(`127.0.0.1:${broker.address.split(":")[1]}`);
  expect((await connection.ask({})).status).toBe(401);
});

describe("the option tls", () => {
  test.each<[string, object, RegExp]>([
    ["without a certificate", { key: "k" }, /tls\.cert or tls\.certFile/],
    ["without a key", { cert: "c" }, /tls\.key or tls\.keyFile/],
    ["with both a key and a file", { cert: "c", key: "k", keyFile: "k" }, /tls\.key and tls\.keyFile/],
    ["with a key that is no text", { cert: "c", key: 12345 }, /^(?!.*12345).*tls\.key/],
    ["with something unknown", { cert: "c", key: "k", handshakeFirst: true }, /no option "handshakeFirst"/],
  ])("%s is refused", (_name, tls, message) => {
    expect(() => http({ tls })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTION", message: expect.stringMatching(message) }),
    );
  });

  test("with what is no certificate is refused at connect, and shows nothing of it", async () => {
    const wrong = openBroker(open(), { tls: { cert: "nonsense", key: "confidential" } });
    await expect(wrong).rejects.toMatchObject({
      code: "ERR_INVALID_OPTION",
      message: expect.stringMatching(/^(?!.*confidential).*belong together/),
    });
  });

  test("with the key of another certificate is refused at connect", async () => {
    const [ours, theirs] = [await authority(), await authority("theirs")];
    const wrong = openBroker(open(), { tls: { certFile: ours.peerCertFile, keyFile: theirs.peerKeyFile } });
    await expect(wrong).rejects.toMatchObject({
      code: "ERR_INVALID_OPTION",
      message: expect.stringMatching(/belong together/),
    });
  });

  test("with a file that is not there is refused at connect", async () => {
    const wrong = openBroker(open(), { tls: { certFile: "/nowhere/cert.pem", keyFile: "/nowhere/key.pem" } });
    await expect(wrong).rejects.toMatchObject({
      code: "ERR_INVALID_OPTION",
      message: expect.stringMatching(/tls\.(cert|key)File cannot be read/),
    });
  });
});
