import { describe, expect, test } from "vitest";
import type { HttpLimits } from "../../src/drivers/http/index.ts";
import { WIRE_HEADERS, WIRE_PATHS } from "../../src/drivers/http/wire.ts";
import { local } from "../../src/registries/local/index.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker, registryFolder, theNode } from "./support/brokers.ts";
import { peerPost } from "./support/messages.ts";
import { RawConnection, type RawRequest, rawRequest } from "./support/raw.ts";

/** A broker with one subscription, whose handler must hear nothing but what is normally published. */
async function attacked(limits: HttpLimits = {}, maxMessageBytes = 10_000) {
  const folder = await registryFolder();
  const registry = local({ folder });
  const opened = await openBroker(folder, { limits }, { maxMessageBytes });
  const heard: string[] = [];
  await opened.broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
  const { id } = await theNode(registry);
  const secret = (await registry.secret?.()) as Uint8Array;
  const { address } = opened.broker;
  const trusted = async () => {
    const connection = await RawConnection.open(address);
    await connection.prove(secret);
    return connection;
  };
  /** Nothing of the attack was delivered, and a normal publish is. */
  const survived = async () => {
    expect(heard).toEqual([]);
    const { broker } = await openBroker(folder);
    await broker.publish("t.x", { body: "fine" });
    await until(() => heard.length > 0, { what: "a normal publish arrived" });
    expect(heard).toEqual(["fine"]);
  };
  return { ...opened, address, id, trusted, survived };
}

/** The hand-made message, changed. */
function changed(id: string, change: Partial<RawRequest> & { drop?: string }): RawRequest {
  const request = peerPost(id, { topic: "t.x", body: "attack" });
  const headers = { ...request.headers, ...change.headers };
  if (change.drop !== undefined) delete headers[change.drop];
  const { drop: _drop, ...rest } = change;
  return { ...request, ...rest, headers };
}

describe("from a peer that proved the secret", () => {
  test.each<[string, number, Partial<RawRequest> & { drop?: string }]>([
    ["wrong JSON", 500, { body: '{"Header":' }],
    ["no JSON", 500, { body: "attack" }],
    ["an empty body", 500, { body: "" }],
    ["JSON null", 500, { body: "null" }],
    ["a header that is no string", 500, { body: '{"Header":{"a":1},"Body":""}' }],
    ["a body that is no base64", 500, { body: '{"Header":{},"Body":"?"}' }],
    ["an unknown id", 404, { path: "/?id=nobody" }],
    ["no id", 404, { path: "/" }],
    ["an empty id", 404, { path: "/?id=" }],
    ["an id of a prototype", 404, { path: "/?id=__proto__" }],
    ["a wrong escape in the path", 404, { path: "/?id=%zz" }],
    ["a topic that the subscription does not want", 404, { headers: { [WIRE_HEADERS.topic]: "t.y" } }],
    ["a topic of wildcards", 400, { headers: { [WIRE_HEADERS.topic]: "t.*" } }],
    ["a wrong escape in the topic", 400, { headers: { [WIRE_HEADERS.topic]: "t.%zz" } }],
    ["a wrong escape in the message's id", 400, { headers: { [WIRE_HEADERS.id]: "%c3" } }],
    ["no topic", 400, { drop: WIRE_HEADERS.topic }],
    ["no attempt", 400, { drop: WIRE_HEADERS.attempt }],
    ["attempt 0", 400, { headers: { [WIRE_HEADERS.attempt]: "0" } }],
    ["half an attempt", 400, { headers: { [WIRE_HEADERS.attempt]: "1.5" } }],
    ["an attempt that is no number", 400, { headers: { [WIRE_HEADERS.attempt]: "one" } }],
    ["a wrong escape in the key", 400, { headers: { [WIRE_HEADERS.key]: "%" } }],
    ["a first failure at no time", 400, { headers: { [WIRE_HEADERS.firstFailure]: "never" } }],
    ["a first failure beyond time", 400, { headers: { [WIRE_HEADERS.firstFailure]: "1e300" } }],
    ["an unknown call", 500, { path: `${WIRE_PATHS.call}format-disk`, body: "null" }],
    ["a call of a prototype", 500, { path: `${WIRE_PATHS.call}toString`, body: "null" }],
    ["a call with wrong JSON", 400, { path: `${WIRE_PATHS.call}queues`, body: "{" }],
    ["a call without its argument", 500, { path: `${WIRE_PATHS.call}left`, body: "null" }],
    ["a record that is none", 500, { path: `${WIRE_PATHS.call}added`, body: '{"name":"x"}' }],
  ])("%s is answered with status %i", async (_name, status, change) => {
    const { id, trusted, survived } = await attacked();
    const connection = await trusted();
    const answer = await connection.ask(changed(id, change));
    expect(answer.status).toBe(status);
    expect(answer.body).not.toBe("");
    await survived();
  });

  test("a body over the limit is answered with status 413 and costs the connection", async () => {
    const { id, trusted, survived } = await attacked({}, 100);
    const connection = await trusted();
    connection.write(rawRequest(connection.address, changed(id, { body: "x".repeat(200_000) })));
    expect((await connection.answer()).status).toBe(413);
    await connection.closed();
    await survived();
  });

  test("a body without a length that grows over the limit is cut off with status 413", async () => {
    const { id, trusted, survived } = await attacked({}, 100);
    const connection = await trusted();
    const { "Content-Length": _length, ...headers } = { "Content-Length": "", ...changed(id, {}).headers };
    const head = Object.entries({ Host: connection.address, ...headers, "Transfer-Encoding": "chunked" });
    connection.write(
      `POST /?id=${id} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    for (let sent = 0; sent < 40 && !connection.ended; sent += 1) connection.write(chunk);
    expect((await connection.answerOrClosed())?.status ?? 413).toBe(413);
    await connection.closed();
    await survived();
  });
});

describe("from anybody", () => {
  test.each<[string, number, RawRequest]>([
    ["no secret", 401, { body: '{"Header":{"Micro-Topic":"t.x"},"Body":""}' }],
    ["a page's Origin", 403, { headers: { Origin: "https://page.example" } }],
    ["the Origin null", 403, { headers: { Origin: "null" } }],
    ["a foreign Host", 403, { headers: { Host: "evil.example" } }],
    ["a foreign Host with our port", 403, { headers: { Host: "evil.example:$PORT" } }],
    ["a Host of another loopback address", 403, { headers: { Host: "127.0.0.2:$PORT" } }],
    ["an empty Host", 403, { headers: { Host: "" } }],
    ["a Host with a user", 403, { headers: { Host: "127.0.0.1@evil.example" } }],
    ["GET", 405, { method: "GET" }],
    ["PUT", 405, { method: "PUT" }],
    ["OPTIONS", 405, { method: "OPTIONS" }],
    [
      "a preflight of a page",
      403,
      { method: "OPTIONS", headers: { Origin: "https://page.example", "Access-Control-Request-Method": "POST" } },
    ],
    ["GET of a call", 405, { method: "GET", path: `${WIRE_PATHS.call}queues` }],
    ["an unknown expectation", 417, { headers: { Expect: "miracles" } }],
    ["two lengths", 400, { headers: { "content-length": "3" } }],
    ["a length and chunks", 400, { headers: { "Transfer-Encoding": "chunked" } }],
    ["a header with a line break folded", 400, { headers: { "X-A": "1\r\n b" } }],
    ["a space before the colon", 400, { headers: { "X-A ": "1" } }],
    ["an unknown method", 400, { method: "BREW" }],
  ])("%s is answered with status %i", async (_name, status, request) => {
    const { address, survived } = await attacked();
    const connection = await RawConnection.open(address);
    const port = address.split(":")[1] ?? "";
    const headers = Object.fromEntries(
      Object.entries(request.headers ?? {}).map(([name, value]) => [name, value.replace("$PORT", port)]),
    );
    const answer = await connection.ask({ body: "x", ...request, headers });
    expect(answer.status).toBe(status);
    await survived();
  });

  test.each([
    ["garbage", Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 0xff])],
    ["zeros", Buffer.alloc(1_000)],
    ["another protocol", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n")],
    ["HTTP/2", Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")],
    ["HTTP/0.9", Buffer.from("GET /\r\n\r\n")],
    ["an endless first line", Buffer.from("x".repeat(200_000))],
  ])("%s is answered with 400, or a closed connection", async (_name, bytes) => {
    const { address, survived } = await attacked();
    const connection = await RawConnection.open(address);
    connection.write(bytes);
    const answer = await connection.answerOrClosed();
    if (answer !== undefined) expect([400, 403, 431, 505]).toContain(answer.status);
    await connection.closed();
    await survived();
  });

  test.each([
    ["CONNECT", "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: $HOST\r\n\r\n"],
    ["an upgrade", "GET / HTTP/1.1\r\nHost: $HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
    ["no Host at all", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"],
    ["HTTP/1.0 without a Host", "POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n"],
  ])("%s is refused", async (_name, text) => {
    const { address, survived } = await attacked();
    const connection = await RawConnection.open(address);
    connection.write(text.replace("$HOST", address));
    const answer = await connection.answerOrClosed();
    if (answer !== undefined) expect([400, 401, 403, 405]).toContain(answer.status);
    await survived();
  });

  test("a header over the limit is answered with status 431", async () => {
    const { address, survived } = await attacked({ maxHeaderBytes: 2_000 });
    const connection = await RawConnection.open(address);
    expect((await connection.ask({ headers: { "X-Long": "x".repeat(3_000) } })).status).toBe(431);
    await connection.closed();
    await survived();
  });
});

describe("slow peers", () => {
  test.each([
    ["says nothing", ""],
    ["says half a line", "POST /?id"],
    ["says half a head", "POST / HTTP/1.1\r\nHost: x\r\n"],
  ])("one that %s gets 408 and is closed", async (_name, text) => {
    const { address, survived } = await attacked({ headersTimeoutMs: 150, requestTimeoutMs: 300 });
    const connection = await RawConnection.open(address);
    connection.write(text);
    expect((await connection.answerOrClosed())?.status ?? 408).toBe(408);
    await connection.closed();
    await survived();
  });

  test("one that proved the secret and sends half a body gets 408 and is closed, and nothing is delivered", async () => {
    const { address, id, trusted, survived } = await attacked({ headersTimeoutMs: 200, requestTimeoutMs: 400 });
    const connection = await trusted();
    const request = rawRequest(address, changed(id, {}));
    connection.write(request.subarray(0, request.length - 5));
    expect((await connection.answer()).status).toBe(408);
    await connection.closed();
    await survived();
  });

  test("one that leaves with half a body is forgotten", async () => {
    const { address, id, trusted, survived } = await attacked();
    const connection = await trusted();
    const request = rawRequest(address, changed(id, {}));
    connection.write(request.subarray(0, request.length - 5));
    connection.socket.destroy();
    await survived();
  });

  test("a body that comes byte by byte within the limit is a message like any other", async () => {
    const { address, broker, id, trusted } = await attacked();
    const connection = await trusted();
    const bytes = rawRequest(address, changed(id, { body: '{"Header":{},"Body":"ZmluZQ=="}' }));
    for (const byte of bytes) connection.write(Buffer.of(byte));
    expect((await connection.answer()).status).toBe(102);
    expect((await connection.answer()).status).toBe(200);
    await broker.disconnect();
  });

  test("the request's limit alone may be made small", async () => {
    const { address, survived } = await attacked({ requestTimeoutMs: 250 });
    const connection = await RawConnection.open(address);
    connection.write("POST / HTTP/1.1\r\n");
    expect((await connection.answerOrClosed())?.status ?? 408).toBe(408);
    await survived();
  });

  test("one that is idle between requests is closed", async () => {
    const { trusted, survived } = await attacked({ idleTimeoutMs: 1_000 });
    const connection = await trusted();
    await connection.closed();
    await survived();
  });

  test("one that keeps its side open holds up no disconnect", async () => {
    const { broker, address, secondsToDisconnect } = {
      ...(await attacked({ headersTimeoutMs: 150, requestTimeoutMs: 300 })),
      secondsToDisconnect: 5,
    };
    const silent = await RawConnection.open(address, { stubborn: true });
    const garbled = await RawConnection.open(address, { stubborn: true });
    garbled.write("\u0000\r\n\r\n");
    const early = await RawConnection.open(address, { stubborn: true });
    early.write("POST / HTTP/1.1\r\n");
    for (const connection of [silent, garbled, early]) await connection.closed();
    const startedAt = performance.now();
    await broker.disconnect();
    expect((performance.now() - startedAt) / 1_000).toBeLessThan(secondsToDisconnect);
  });

  test("more connections than allowed are closed, and the first go on", async () => {
    const { address, id, trusted } = await attacked({ maxConnections: 3 });
    const first = await trusted();
    await RawConnection.open(address);
    await RawConnection.open(address);
    const extra = await RawConnection.open(address);
    await extra.closed();
    first.request(changed(id, {}));
    expect((await first.answer()).status).toBe(102);
  });
});
