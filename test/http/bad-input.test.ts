import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FRAME, GOODBYE } from "../../src/drivers/http/wire/frames.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { attacked } from "./support/attacked.ts";
import { RawConnection, type RawRequest } from "./support/raw.ts";
import { frame, frames } from "./support/wire-peer.ts";

/** The bytes of a message to the subscription, in a frame. */
function message(topic = "t.x", body = "attack"): Buffer {
  return frames((writer) => {
    const content = { topic, id: "i", key: undefined, header: {}, body: Buffer.from(body), bytes: body.length };
    writer.message(1, 0, content, 1, undefined);
  });
}

describe("from a peer that proved the secret", () => {
  test.each<[string, () => Buffer]>([
    ["a frame of no type that there is", () => frame(0x7f, 1, 2, 3)],
    ["a second proof", () => frame(FRAME.proof, randomBytes(32))],
    ["a welcome", () => frame(FRAME.welcome)],
    ["a frame without a type", () => Buffer.alloc(4)],
    [
      "a frame over the limit",
      () => Buffer.concat([Buffer.of(0xff, 0xff, 0xff, 0x7f, FRAME.message), Buffer.alloc(1_000)]),
    ],
    ["a message that nobody has a place for", () => message()],
    ["a message of a topic that was not told", () => frame(FRAME.message, 1, 0, 5, 0, 1, "i")],
    ["a message that ends in its number", () => frame(FRAME.message, 0xff)],
    [
      "a message whose id does not end",
      () => Buffer.concat([frame(FRAME.topic, 0, "t.x"), frame(FRAME.message, 1, 0, 0, 0, 200)]),
    ],
    [
      "a message over the limit, in a frame that is not",
      () => Buffer.concat([frame(FRAME.topic, 0, "t.x"), frame(FRAME.message, 1, 0, 0, 0, 1, "i", "x".repeat(20_001))]),
    ],
    [
      "a message with an empty id",
      () => Buffer.concat([frame(FRAME.topic, 0, "t.x"), frame(FRAME.message, 1, 0, 0, 0, 0, "attack")]),
    ],
    [
      "a message with an id that is too long",
      () => Buffer.concat([frame(FRAME.topic, 0, "t.x"), frame(FRAME.message, 1, 0, 0, 0, 0x81, 2, "i".repeat(257))]),
    ],
    [
      "a message with an empty key",
      () => Buffer.concat([frame(FRAME.topic, 0, "t.x"), frame(FRAME.message, 1, 0, 0, 1, 1, "i", 0, "attack")]),
    ],
    [
      "a message with a header of endless pairs",
      () => Buffer.concat([frame(FRAME.topic, 0, "t.x"), frame(FRAME.message, 1, 0, 0, 4, 1, "i", 0xff, 0xff, 0x7f)]),
    ],
    ["a repetition of nothing", () => frame(FRAME.also, 1, 0)],
    ["a topic of wildcards", () => frame(FRAME.topic, 0, "t.*")],
    ["an empty topic", () => frame(FRAME.topic, 0)],
    ["a topic of control characters", () => frame(FRAME.topic, 0, "a\u0000b")],
    ["a topic of too high a number", () => frame(FRAME.topic, 0x80, 0x80, 0x01, "t.x")],
    ["more heard than told", () => frame(FRAME.heard, 9)],
    ["a subscription to nothing", () => frame(FRAME.subscribe, 1, ...new Uint8Array(8), 1, "a", 0, 0)],
    ["a subscription that ends early", () => frame(FRAME.subscribe, 1)],
    ["an outcome that is none", () => frame(FRAME.settled, 1, 0, 9)],
    ["a list that is too long", () => frame(FRAME.done, 0, 0xff, 0xff, 0xff, 0x7f)],
    ["a list of nothing that there is", () => frame(FRAME.holding, 3, 0)],
    ["a call with wrong JSON", () => frame(FRAME.call, 1, 6, "queues{")],
    ["a call that is too long", () => frame(FRAME.call, 1, 6, `queues"${"x".repeat(70_000)}"`)],
  ])("%s costs the connection, and is told why", async (_name, bytes) => {
    const { heard, trusted, survived, broker } = await attacked({}, 20_000);
    const peer = await trusted();
    peer.connection.write(bytes());
    expect(await peer.closed()).toMatchObject({ code: GOODBYE.violation, text: expect.stringMatching(/./) });
    expect(heard).toEqual([]);
    expect(broker.status).toBe("connected");
    await survived();
  });

  test.each([
    ["an unknown call", "format-disk", null],
    ["a call of a prototype", "toString", null],
    ["a call without its argument", "queue-added", null],
    ["a queue that is none", "queue-added", { pattern: "a..b", queue: "q" }],
    ["dead letters of a pattern", "drop", { topic: "dlq.*" }],
  ])("%s is answered with what is wrong, and the connection stands", async (_name, name, argument) => {
    const { trusted, survived } = await attacked();
    const peer = await trusted();
    peer.connection.write(frame(FRAME.call, 1, name.length, `${name}${JSON.stringify(argument)}`));
    const answer = await peer.frame(FRAME.answer);
    expect([answer.number(), answer.byte()]).toEqual([1, 2]);
    expect(JSON.parse(answer.restText())).toMatch(/./);
    await peer.sync();
    await survived();
  });

  test("rubbish of any kind costs its own connection at most", { timeout: 60_000 }, async () => {
    const { heard, trusted, survived } = await attacked();
    const rubbish = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 400 }), { numRuns: 60, seed: 7 });
    for (const bytes of rubbish) {
      const peer = await trusted();
      // Lengths that end within the rubbish, so that it is taken for frames.
      const type = (bytes[0] as number) % 0x40;
      peer.connection.write(Buffer.concat([frame(type, bytes.subarray(1)), bytes]));
      peer.connection.socket.end();
      await peer.connection.closed();
    }
    expect(heard).toEqual([]);
    await survived();
  });

  test("a message that comes byte by byte is a message like any other", async () => {
    const { heard, trusted } = await attacked();
    const peer = await trusted();
    peer.send((writer) => writer.numbers(FRAME.want, 0));
    await until(() => peer.granted > 0, { what: "a place was granted" });
    for (const byte of message("t.x", "fine")) peer.connection.write(Buffer.of(byte));
    expect(await peer.outcome(1)).toEqual({ kind: "ack" });
    expect(heard).toEqual(["fine"]);
  });

  test("half a message is forgotten when its sender leaves", async () => {
    const { heard, trusted, survived } = await attacked();
    const peer = await trusted();
    peer.send((writer) => writer.numbers(FRAME.want, 0));
    await until(() => peer.granted > 0, { what: "a place was granted" });
    peer.connection.write(message().subarray(0, -3));
    peer.connection.socket.end();
    await peer.connection.closed();
    expect(heard).toEqual([]);
    await survived();
  });

  test("silence beyond the idle limit costs the connection", { timeout: 20_000 }, async () => {
    const { trusted, survived } = await attacked({ idleTimeoutMs: 3_000 });
    const peer = await trusted();
    peer.answersPings = false;
    expect(await peer.frame(FRAME.ping)).toBeDefined();
    await peer.closed();
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
    ["GET of the wire without an upgrade", 405, { method: "GET", path: "/_tidings/wire" }],
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

  test("the request's limit alone may be made small", async () => {
    const { address, survived } = await attacked({ requestTimeoutMs: 250 });
    const connection = await RawConnection.open(address);
    connection.write("POST / HTTP/1.1\r\n");
    expect((await connection.answerOrClosed())?.status ?? 408).toBe(408);
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
    const { address, trusted } = await attacked({ maxConnections: 3 });
    const first = await trusted();
    await RawConnection.open(address);
    await RawConnection.open(address);
    const extra = await RawConnection.open(address);
    await extra.closed();
    expect(await first.outcome(await first.deliver(0))).toEqual({ kind: "ack" });
  });
});
