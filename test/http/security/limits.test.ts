import { connect as connectTls, type TLSSocket } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseAddress } from "../../../src/drivers/http/address.ts";
import { type HttpLimits, http } from "../../../src/drivers/http/index.ts";
import { httpLimits } from "../../../src/drivers/http/options.ts";
import { keyFrom, SECRET_CIPHER, secretBytes } from "../../../src/drivers/http/security/shared-secret.ts";
import { memory } from "../../../src/registries/memory.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { RawConnection } from "../support/raw.ts";
import { exchange, listener } from "./pair.ts";

const secret = "a secret of more than sixteen bytes";

test("every limit has a default", () => {
  expect(httpLimits()).toEqual({
    maxHeaderBytes: 65_536,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
    idleTimeoutMs: 60_000,
    maxConnections: 10_000,
    handshakeTimeoutMs: 5_000,
  });
});

test.each(Object.keys(httpLimits()))("%s is an option, and nothing else than a number", (name) => {
  expect(() => http({ limits: { [name]: 7 } })).not.toThrow();
  for (const wrong of [0, -1, "7", null])
    expect(() => http({ limits: { [name]: wrong } as HttpLimits })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTION" }),
    );
});

/** A connection with the secret that speaks as it likes within the encryption. */
async function inside(address: string): Promise<{ socket: TLSSocket; text: () => string }> {
  const socket = connectTls({
    ...parseAddress(address),
    maxVersion: "TLSv1.2",
    ciphers: SECRET_CIPHER,
    pskCallback: () => ({ psk: keyFrom(secretBytes(secret), "tls"), identity: "tidings" }),
    checkServerIdentity: () => undefined,
  });
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (data) => {
    text += String(data);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return { socket, text: () => text };
}

describe("within the encryption the limits are the same:", () => {
  test.each<[string, HttpLimits, string, RegExp]>([
    [
      "headers over the limit",
      { maxHeaderBytes: 2_000 },
      `GET / HTTP/1.1\r\nX: ${"x".repeat(3_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    [
      "headers that take too long",
      { headersTimeoutMs: 200, requestTimeoutMs: 400 },
      "GET / HTTP/1.1\r\n",
      /^HTTP\/1\.1 408 /,
    ],
    [
      "a web page",
      {},
      "POST / HTTP/1.1\r\nHost: $HOST\r\nOrigin: https://page.example\r\nContent-Length: 0\r\n\r\n",
      /^HTTP\/1\.1 403 /,
    ],
    ["a foreign Host", {}, "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n", /^HTTP\/1\.1 403 /],
    ["a message of go-micro", {}, "POST / HTTP/1.1\r\nHost: $HOST\r\nContent-Length: 0\r\n\r\n", /^HTTP\/1\.1 401 /],
    ["rubbish", {}, "\u0000\u0001\r\n\r\n", /^HTTP\/1\.1 400 /],
  ])("%s", async (_name, limits, request, answer) => {
    const registry = memory();
    const one = await listener(registry, { secret, limits });
    const { socket, text } = await inside(one.broker.address);
    socket.write(request.replace("$HOST", one.broker.address));
    await until(() => socket.closed, { what: "the connection was closed", detail: text });
    expect(text()).toMatch(answer);
    expect(one.heard).toEqual([]);
    await exchange(one, await listener(registry, { secret }));
  });

  test("a peer that asks for the wire and proves nothing is left after the time for a handshake", async () => {
    const { broker, errors } = await listener(memory(), { secret, limits: { handshakeTimeoutMs: 300 } });
    const { socket, text } = await inside(broker.address);
    const headers = {
      Host: broker.address,
      Connection: "Upgrade",
      Upgrade: "tidings",
      "Tidings-Versions": "1",
      "Tidings-Peer": "p",
    };
    const terms = {
      "Tidings-Address": "127.0.0.1:1",
      "Tidings-Max-Message-Bytes": "1",
      "Tidings-Idle-Ms": "1",
      "Tidings-Challenge": "0".repeat(64),
    };
    const lines = Object.entries({ ...headers, ...terms }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET /_tidings/wire HTTP/1.1\r\n${lines.join("")}\r\n`);
    await until(() => socket.closed, { what: "the connection was closed" });
    expect(text()).toMatch(/^HTTP\/1\.1 101 /);
    expect(errors).toEqual([]);
  });

  test("connections over the limit are closed, and the first go on", async () => {
    const registry = memory();
    const one = await listener(registry, { secret, limits: { maxConnections: 3 } });
    const other = await listener(registry, { secret });
    await exchange(one, other);
    await RawConnection.open(one.broker.address);
    await RawConnection.open(one.broker.address);
    const extra = await RawConnection.open(one.broker.address);
    await extra.closed();
    await exchange(one, other);
  });

  test("messages over the limit are refused where they are published", async () => {
    const registry = memory();
    const one = await listener(registry, { secret }, { maxMessageBytes: 1_000 });
    await expect(one.broker.publish("t.x", { body: "x".repeat(1_001) })).rejects.toMatchObject({
      code: "ERR_MESSAGE_TOO_LARGE",
    });
  });
});
