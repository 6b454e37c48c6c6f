import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { parseAddress } from "../../../src/drivers/http/address.ts";
import { keyFrom, SECRET_CIPHER } from "../../../src/drivers/http/security/shared-secret.ts";
import { SERVICE_NAMES } from "../../../src/drivers/http/service-names.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { registryFolder } from "../support/brokers.ts";
import { RawConnection } from "../support/raw.ts";
import { wireRequest } from "../support/wire-peer.ts";
import { authority, exchange, listener, strangers, tapped } from "./pair.ts";
import { fakeServer, listening } from "./tap.ts";

const secret = "a secret of more than sixteen bytes";

async function register(registry: Registry, address: string, metadata: Record<string, string> = {}): Promise<void> {
  const nodes = [{ id: "impostor", address, metadata }];
  await registry.register({ name: SERVICE_NAMES.peers, version: "1", metadata: {}, endpoints: [], nodes });
}

describe("with the same secret", () => {
  test("processes talk, and nothing of it can be read on the way", async () => {
    const folder = await registryFolder();
    const one = await tapped(folder, { secret });
    const other = await tapped(folder, { secret: new TextEncoder().encode(secret) });
    await one.broker.publish("t.x", { header: { "x-plain": "readable header" }, body: "readable body" });
    await until(() => other.heard.includes("readable body"), { what: "the message arrived" });
    await exchange(one, other);
    const carried = [one, other].flatMap(({ tap }) =>
      tap.connections.flatMap(({ sent, answered }) => [...sent, ...answered]),
    );
    const text = Buffer.concat(carried).toString("latin1");
    expect(text.length).toBeGreaterThan(500);
    expect(text).not.toMatch(/readable|t\.x|tidings-peer|HTTP\/1/i);
    expect(text).not.toContain(secret);
    expect([...one.errors, ...other.errors]).toEqual([]);
    expect(one.warnings).toEqual([]);
  });

  test("a registry without a secret of its own is enough", async () => {
    const { secret: _none, ...registry } = memory();
    await exchange(await listener(registry, { secret }), await listener(registry, { secret }));
  });

  test("a large message comes through whole", async () => {
    const registry = memory();
    const [one, other] = [await listener(registry, { secret }), await listener(registry, { secret })];
    const body = "x".repeat(900_000);
    await one.broker.publish("t.x", { body });
    await until(() => other.heard.length === 1, { what: "it arrived" });
    expect(other.heard[0] === body).toBe(true);
  });

  test("a process that leaves and another that comes are told", async () => {
    const registry = memory();
    const one = await listener(registry, { secret });
    const other = await listener(registry, { secret });
    await exchange(one, other);
    await other.broker.disconnect();
    await exchange(one, await listener(registry, { secret }));
    expect(one.errors).toEqual([]);
  });
});

describe("both sides say once why they do not talk", () => {
  test("when one has no secret", async () => {
    const folder = await registryFolder();
    const [told, saidByPlain] = await strangers(await listener(folder, { secret }), await listener(folder));
    expect(told.join("\n")).toMatch(/speaks without encryption, and this process has the option secret/);
    expect(told.join("\n")).toMatch(/came without encryption/);
    expect(saidByPlain.join("\n")).toMatch(
      /status 401: "only encrypted connections are taken here \(the option secret\)"/,
    );
    expect(saidByPlain.join("\n")).toMatch(/wants encryption, and this process has none of secret, tls and secure/);
    for (const said of [told, saidByPlain]) expect(new Set(said).size).toBe(said.length);
    expect([...told, ...saidByPlain].join("\n")).not.toContain(secret);
  });

  test("when one has another secret", async () => {
    const folder = await registryFolder();
    const wrong = "another secret of sixteen bytes or more";
    const both = await strangers(await listener(folder, { secret }), await listener(folder, { secret: wrong }));
    for (const said of both) {
      expect(said.join("\n")).toMatch(/has another secret/);
      expect(new Set(said).size).toBe(said.length);
      expect(said.join("\n")).not.toMatch(/sixteen bytes/);
    }
  });

  test("when one has certificates instead", async () => {
    const folder = await registryFolder();
    const { peerCertFile: certFile, peerKeyFile: keyFile, caFile } = await authority();
    const tls = { caFile, certFile, keyFile };
    const both = await strangers(await listener(folder, { secret }), await listener(folder, { tls }));
    for (const said of both) expect(said.join("\n")).toMatch(/protects connections in another way/);
  });
});

describe("a server that", () => {
  /** Publishes something confidential to whoever the registry names, and returns what the broker said of it. */
  async function meeting(address: string): Promise<{ errors: string[]; state: string }> {
    const registry = memory();
    await register(registry, address, { "tidings-security": "none" });
    const { broker, errors } = await listener(registry, { secret, limits: { handshakeTimeoutMs: 500 } });
    await until(() => errors.length > 0, { what: "the impostor was found out" });
    const { state } = await broker.publish("t.confidential", { body: "confidential" });
    return { errors: errors.map(({ code, message }) => `${code} ${message}`), state };
  }

  test("shows a certificate in place of the secret is sent nothing, whatever TLS it speaks", async () => {
    const certificates = await authority();
    const [cert, key] = await Promise.all([readFile(certificates.certFile), readFile(certificates.keyFile)]);
    for (const options of [
      {},
      { maxVersion: "TLSv1.2" },
      { minVersion: "TLSv1", ciphers: "ALL:@SECLEVEL=0" },
    ] as const) {
      const received: string[] = [];
      const server = createTlsServer({ cert, key, ...options }, (socket) =>
        socket.on("data", (data) => received.push(String(data))),
      );
      server.on("tlsClientError", () => {});
      const { errors, state } = await meeting(await listening(server));
      expect(errors.join("\n")).toMatch(/ERR_AUTHENTICATION .*protects connections in another way/);
      expect(state).toBe("waiting");
      expect(received).toEqual([]);
    }
  });

  test("chooses, against the rules, what the client did not offer is sent nothing", async () => {
    for (const [version, suite] of [
      [0x0303, 0xc02f],
      [0x0304, 0x1301],
      [0x0302, 0xccac],
      [0x0303, 0xc037],
    ] as const) {
      const received: Buffer[] = [];
      const address = await fakeServer((socket) => {
        socket.on("data", (chunk) => received.push(chunk));
        socket.write(serverHello(version, suite));
      });
      const { errors } = await meeting(address);
      expect(errors.join("\n")).toMatch(/ERR_AUTHENTICATION/);
      expectOnlyHandshakes(Buffer.concat(received));
    }
  });

  test("chooses the secret and then shows a certificate after all is sent nothing", async () => {
    const received: Buffer[] = [];
    const { certFile } = await authority();
    const pem = await readFile(certFile, "utf8");
    const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ""), "base64");
    const address = await fakeServer((socket) => {
      socket.on("data", (chunk) => received.push(chunk));
      socket.write(Buffer.concat([serverHello(0x0303, 0xccac), certificateMessage(der)]));
    });
    const { errors } = await meeting(address);
    expect(errors.join("\n")).toMatch(/ERR_AUTHENTICATION/);
    expectOnlyHandshakes(Buffer.concat(received));
  });

  test("knows the name of the suite but not the secret is sent nothing", async () => {
    const received: string[] = [];
    const server = createTlsServer(
      { maxVersion: "TLSv1.2", ciphers: SECRET_CIPHER, pskCallback: () => keyFrom(randomBytes(32), "tls") },
      (socket) => socket.on("data", (data) => received.push(String(data))),
    );
    server.on("tlsClientError", () => {});
    const { errors } = await meeting(await listening(server));
    expect(errors.join("\n")).toMatch(/ERR_AUTHENTICATION .*another secret/);
    expect(received).toEqual([]);
  });

  test("says nothing at all is given up after the time for a handshake", async () => {
    const address = await fakeServer((socket) => socket.resume());
    const { errors } = await meeting(address);
    expect(errors.join("\n")).toMatch(/did not shake hands within 500 ms/);
  });
});

test("a connection that was recorded is worth nothing when it is played again", async () => {
  const registry = memory();
  const one = await tapped(registry, { secret });
  const other = await listener(registry, { secret });
  await exchange(one, other);
  const before = one.heard.length;
  const recorded = one.tap.connections.filter(({ answered }) => answered.length > 1);
  expect(recorded.length).toBeGreaterThan(0);
  for (const { sent } of recorded) {
    const socket = connect(parseAddress(one.tap.target));
    let answer = Buffer.alloc(0);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket
      .on("error", () => {})
      .on("data", (chunk: Buffer) => {
        answer = Buffer.concat([answer, chunk]);
      });
    // In the same pieces, each after an answer to the one before, as the client sent them.
    for (const chunk of sent) {
      const had = answer.length;
      socket.write(chunk);
      await until(() => answer.length > had || socket.closed, {
        what: "an answer, or the end",
        deadlineMs: 2_000,
      }).catch(() => {});
      if (socket.closed) break;
    }
    socket.end();
    await closed;
    expect(answer.toString("latin1")).not.toContain("HTTP/1.1");
  }
  await until(() => one.errors.some(({ message }) => /has another secret|TLS failed/.test(message)), {
    what: "it was noted",
  });
  expect(one.heard.length).toBe(before);
  await exchange(one, other);
});

describe("with a secret, a process that is no peer", () => {
  test("and speaks HTTP is told in plain words, and sees nothing of the wire", async () => {
    const { broker, errors } = await listener(memory(), { secret });
    const connection = await RawConnection.open(broker.address);
    const answer = await connection.ask(wireRequest("0".repeat(64)));
    expect(answer).toMatchObject({ status: 401 });
    expect(JSON.parse(answer.body)).toEqual({
      status: 401,
      reason: "only encrypted connections are taken here (the option secret)",
    });
    expect(answer.headers).not.toHaveProperty("tidings-peer");
    await connection.closed();
    expect(errors.map(({ message }) => message)).toEqual([
      "A connection from 127.0.0.1 was refused: it came without encryption, and this process has the option secret.",
    ]);
  });

  test("and posts a message as go-micro does, or as a web page does, is refused", async () => {
    const { broker, heard } = await listener(memory(), { secret });
    for (const headers of [{}, { Origin: "https://page.example" }]) {
      const connection = await RawConnection.open(broker.address);
      const body = JSON.stringify({ Header: { "Micro-Topic": "t.x" }, Body: "YQ==" });
      expect((await connection.ask({ path: "/?id=a", headers, body })).status).toBe(401);
    }
    expect(heard).toEqual([]);
  });

  test("and says nothing, or not enough, is left after the time for a handshake", async () => {
    const { broker } = await listener(memory(), { secret, limits: { handshakeTimeoutMs: 300 } });
    const silent = await RawConnection.open(broker.address);
    const half = await RawConnection.open(broker.address);
    half.write(Buffer.of(0x16, 0x03, 0x01, 0x00));
    await Promise.all([silent.closed(), half.closed()]);
  });

  test("does not hold up a disconnect", async () => {
    const { broker } = await listener(memory(), { secret });
    const silent = await RawConnection.open(broker.address);
    const half = await RawConnection.open(broker.address);
    half.write(Buffer.of(0x16, 0x03, 0x01, 0x00));
    await broker.disconnect();
    await Promise.all([silent.closed(), half.closed()]);
  });
});

/** A TLS record. */
function record(version: number, content: Buffer): Buffer {
  const head = Buffer.from([0x16, version >> 8, version & 0xff, content.length >> 8, content.length & 0xff]);
  return Buffer.concat([head, content]);
}

/** A handshake message of TLS. */
function handshake(type: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, 0, content.length >> 8, content.length & 0xff]), content]);
}

/** A ServerHello (RFC 5246, section 7.4.1.3) that chooses a version and a suite. */
function serverHello(version: number, suite: number): Buffer {
  const legacy = Math.min(version, 0x0303);
  const body = Buffer.concat([
    Buffer.from([legacy >> 8, legacy & 0xff]),
    randomBytes(32),
    Buffer.from([0, suite >> 8, suite & 0xff, 0]),
    // TLS 1.3 says so in an extension (RFC 8446, section 4.2.1).
    version === 0x0304 ? Buffer.from([0, 6, 0, 43, 0, 2, 3, 4]) : Buffer.alloc(0),
  ]);
  return record(0x0303, handshake(2, body));
}

/** A Certificate message of TLS 1.2 with one certificate. */
function certificateMessage(der: Buffer): Buffer {
  const length = (size: number) => Buffer.from([0, size >> 8, size & 0xff]);
  return record(0x0303, handshake(11, Buffer.concat([length(der.length + 3), length(der.length), der])));
}

/** Nothing but ClientHellos and alerts: no record of application data, and none that is encrypted. */
function expectOnlyHandshakes(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    const type = bytes[at] as number;
    expect([0x15, 0x16]).toContain(type);
    if (type === 0x16) expect(bytes[at + 5]).toBe(1);
  }
}
