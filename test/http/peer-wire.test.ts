import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { SubscribeOptions } from "../../src/broker-options.ts";
import type { Delivery, Handler } from "../../src/delivery.ts";
import { type Handshake, isChallenge, newChallenge, proofOf } from "../../src/drivers/http/handshake.ts";
import { decodeText, SERVICE_NAMES, WIRE_HEADERS, WIRE_PATHS } from "../../src/drivers/http/wire.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { local } from "../../src/registries/local/index.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bareServer } from "./support/bare-server.ts";
import { openBroker, registryFolder, subscriptionNodes, theNode } from "./support/brokers.ts";
import { peerPost } from "./support/messages.ts";
import { RawConnection } from "./support/raw.ts";

/** A broker with one subscription, and connections that have proved the secret. */
async function receiver(handler: Handler, options: SubscribeOptions = {}, topic = "t.x") {
  const folder = await registryFolder();
  const registry = local({ folder });
  const opened = await openBroker(folder);
  const subscriber = await opened.broker.subscribe(topic, handler, options);
  const { id } = await theNode(registry);
  const secret = (await registry.secret?.()) as Uint8Array;
  const trusted = async () => {
    const connection = await RawConnection.open(opened.broker.address);
    await connection.prove(secret);
    return connection;
  };
  return { ...opened, folder, registry, subscriber, id, secret, trusted };
}

describe("the answers to a message", () => {
  test.each<[string, number, object, Handler, SubscribeOptions]>([
    ["ack", 200, { kind: "ack" }, () => {}, {}],
    [
      "retry, with its delay",
      503,
      { kind: "retry", delayMs: 1_234, attempt: 2, firstFailureAt: expect.any(Number) },
      (delivery) => delivery.nack({ delayMs: 1_234 }),
      { autoAck: false },
    ],
    [
      "retry after an error",
      503,
      { kind: "retry", delayMs: expect.any(Number), attempt: 2, firstFailureAt: expect.any(Number) },
      () => {
        throw new Error("no");
      },
      {},
    ],
    [
      "dead, with where to and why",
      422,
      {
        kind: "dead",
        to: "dlq.t.x",
        reason: "bad",
        attempts: 1,
        firstAt: expect.any(Number),
        lastAt: expect.any(Number),
      },
      (delivery) => delivery.reject("bad"),
      { autoAck: false },
    ],
    [
      "dead, to a topic of its own",
      422,
      {
        kind: "dead",
        to: "graves",
        reason: "no",
        attempts: 1,
        firstAt: expect.any(Number),
        lastAt: expect.any(Number),
      },
      () => {
        throw new Error("no");
      },
      { maxAttempts: 1, deadLetter: "graves" },
    ],
    [
      "dead, to nowhere",
      422,
      { kind: "dead", to: false, reason: "bad", attempts: 1, firstAt: expect.any(Number), lastAt: expect.any(Number) },
      (delivery) => delivery.reject("bad"),
      { autoAck: false, deadLetter: false },
    ],
  ])("are 102 and then: %s", async (_name, status, outcome, handler, options) => {
    const { id, trusted } = await receiver(handler, options);
    const connection = await trusted();
    expect(await connection.ask(peerPost(id, { topic: "t.x" }))).toMatchObject({ status: 102 });
    const final = await connection.answer();
    expect(final.status).toBe(status);
    expect(final.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(final.body)).toEqual(outcome);
  });

  test("are 102 before the handler has ended, and the rest when it has", async () => {
    const gate = deferred<void>();
    const { id, trusted } = await receiver(() => gate.promise);
    const connection = await trusted();
    expect((await connection.ask(peerPost(id, { topic: "t.x" }))).status).toBe(102);
    expect(connection.unread.length).toBe(0);
    gate.resolve();
    expect((await connection.answer()).status).toBe(200);
  });

  test("carry on the attempts and the first failure that the sender knows", async () => {
    const { id, trusted } = await receiver(
      () => {
        throw new Error("no");
      },
      { maxAttempts: 5 },
    );
    const connection = await trusted();
    const request = peerPost(id, { topic: "t.x", attempt: 4 });
    await connection.ask({ ...request, headers: { ...request.headers, [WIRE_HEADERS.firstFailure]: "777" } });
    expect(JSON.parse((await connection.answer()).body)).toMatchObject({
      kind: "retry",
      attempt: 5,
      firstFailureAt: 777,
    });
    const last = peerPost(id, { topic: "t.x", attempt: 5 });
    await connection.ask({ ...last, headers: { ...last.headers, [WIRE_HEADERS.firstFailure]: "777" } });
    expect(JSON.parse((await connection.answer()).body)).toMatchObject({ kind: "dead", attempts: 5, firstAt: 777 });
  });

  test("say dead at once when no attempt is left, without starting the handler", async () => {
    let started = 0;
    const { id, trusted } = await receiver(
      () => {
        started += 1;
      },
      { maxAttempts: 3 },
    );
    const connection = await trusted();
    expect((await connection.ask(peerPost(id, { topic: "t.x", attempt: 4 }))).status).toBe(102);
    expect(JSON.parse((await connection.answer()).body)).toMatchObject({ kind: "dead", attempts: 3 });
    expect(started).toBe(0);
  });

  test("are 409 for what was not started when the subscription drains", async () => {
    const gate = deferred<void>();
    const { id, trusted, subscriber } = await receiver(() => gate.promise, { concurrency: 1, prefetch: 2 });
    const [running, waiting] = [await trusted(), await trusted()];
    expect((await running.ask(peerPost(id, { topic: "t.x" }))).status).toBe(102);
    expect((await waiting.ask(peerPost(id, { topic: "t.x" }))).status).toBe(102);
    const unsubscribed = subscriber.unsubscribe();
    expect(await waiting.answer()).toMatchObject({ status: 409, body: '{"kind":"release"}' });
    gate.resolve();
    expect((await running.answer()).status).toBe(200);
    await unsubscribed;
  });

  test("are 429 when there is no place in time, and 102 when there is", async () => {
    const gate = deferred<void>();
    const { id, trusted } = await receiver(() => gate.promise, { prefetch: 1, concurrency: 1 });
    const [holder, late, patient] = [await trusted(), await trusted(), await trusted()];
    expect((await holder.ask(peerPost(id, { topic: "t.x" }))).status).toBe(102);
    patient.request(peerPost(id, { topic: "t.x", acceptWithinMs: 20_000 }));
    expect((await late.ask(peerPost(id, { topic: "t.x", acceptWithinMs: 50 }))).status).toBe(429);
    gate.resolve();
    expect((await patient.answer()).status).toBe(102);
    expect((await patient.answer()).status).toBe(200);
  });

  test("are 404 for who waits for a place when the subscription ends, and for who comes later", async () => {
    const gate = deferred<void>();
    const { id, trusted, subscriber } = await receiver(() => gate.promise, { prefetch: 1, concurrency: 1 });
    const [holder, waiting, late] = [await trusted(), await trusted(), await trusted()];
    await holder.ask(peerPost(id, { topic: "t.x" }));
    waiting.request(peerPost(id, { topic: "t.x" }));
    // An answer to a later request says that the earlier one was read.
    await late.ask({ path: `${WIRE_PATHS.call}queues`, body: "null" });
    const unsubscribed = subscriber.unsubscribe();
    expect((await waiting.answer()).status).toBe(404);
    gate.resolve();
    await unsubscribed;
    expect((await late.ask(peerPost(id, { topic: "t.x" }))).status).toBe(404);
  });

  test("a place that nobody waits for any more goes to the next", async () => {
    const gate = deferred<void>();
    const heard: string[] = [];
    const handler = (delivery: Delivery) => {
      heard.push(delivery.text());
      return gate.promise;
    };
    const { id, trusted } = await receiver(handler, { prefetch: 1, concurrency: 1 });
    const [holder, leaver, next] = [await trusted(), await trusted(), await trusted()];
    await holder.ask(peerPost(id, { topic: "t.x", body: "first" }));
    leaver.request(peerPost(id, { topic: "t.x", body: "left" }));
    next.request(peerPost(id, { topic: "t.x", body: "next" }));
    leaver.socket.destroy();
    await until(() => leaver.socket.closed, { what: "the one in the middle had left" });
    gate.resolve();
    expect((await next.answer()).status).toBe(102);
    expect(heard.filter((text) => text !== "left")).toEqual(["first", "next"]);
  });
});

describe("a message handed over twice", () => {
  test("by the same handing-over runs once; both connections need no more than one", async () => {
    const gate = deferred<void>();
    const heard: string[] = [];
    const { id, trusted } = await receiver((delivery) => {
      heard.push(delivery.id);
      return gate.promise;
    });
    const [first, second] = [await trusted(), await trusted()];
    const message = { topic: "t.x", id: "m", delivery: randomUUID() };
    await first.ask(peerPost(id, message));
    first.socket.destroy();
    expect((await second.ask(peerPost(id, message))).status).toBe(102);
    gate.resolve();
    expect((await second.answer()).status).toBe(200);
    expect(heard).toEqual(["m"]);
  });

  test("after its handler has ended hears the same outcome, whether or not the first answer went out", async () => {
    const heard: string[] = [];
    const { id, trusted } = await receiver((delivery) => void heard.push(delivery.id));
    const [first, second] = [await trusted(), await trusted()];
    const message = { topic: "t.x", id: "m", delivery: randomUUID() };
    await first.ask(peerPost(id, message));
    expect((await first.answer()).status).toBe(200);
    expect((await second.ask(peerPost(id, message))).status).toBe(200);
    expect(heard).toEqual(["m"]);
  });

  test("with the same id, but by another handing-over, runs twice: publishers may use an id again", async () => {
    const heard: string[] = [];
    const { id, trusted } = await receiver(
      (delivery) => void heard.push(`${delivery.topic} ${delivery.text()}`),
      {},
      "t.>",
    );
    const [first, second] = [await trusted(), await trusted()];
    first.request(peerPost(id, { topic: "t.x", id: "same", body: "1" }));
    second.request(peerPost(id, { topic: "t.y", id: "same", body: "2" }));
    for (const connection of [first, second]) {
      expect((await connection.answer()).status).toBe(102);
      expect((await connection.answer()).status).toBe(200);
    }
    expect(heard.sort()).toEqual(["t.x 1", "t.y 2"]);
  });
});

describe("what a Tidings peer sends", () => {
  /** A bare server that knows the secret, registered as a Tidings subscription. */
  async function bareSubscription(answer: (body: string) => string) {
    const folder = await registryFolder();
    const registry = local({ folder });
    // Registering makes the folder and its secret.
    await registry.register({ name: "x", version: "1", metadata: {}, endpoints: [], nodes: [] }).catch(() => {});
    const { broker, ...opened } = await openBroker(folder, {}, { drainTimeoutMs: 200 });
    const secret = (await registry.secret?.()) as Uint8Array;
    const server = await bareServer((head, body) => {
      const clientChallenge = /^tidings-challenge: (\w+)$/im.exec(head)?.[1];
      if (isChallenge(clientChallenge)) {
        const handshake: Handshake = { address: server.address, clientChallenge, serverChallenge: newChallenge() };
        const proof = proofOf(secret, "server", handshake);
        return `HTTP/1.1 200 OK\r\nTidings-Challenge: ${handshake.serverChallenge}\r\nTidings-Proof: ${proof}\r\nContent-Length: 0\r\n\r\n`;
      }
      if (head.startsWith(`POST ${WIRE_PATHS.prove}`)) return "HTTP/1.1 204 No Content\r\n\r\n";
      return answer(body);
    });
    await registry.register({
      name: SERVICE_NAMES.tidings,
      version: "ff.http.broadcast",
      metadata: {},
      endpoints: [],
      nodes: [
        {
          id: "bare node",
          address: server.address,
          metadata: { broker: "http", "tidings-wires": "post", "tidings-peer": "bare", "tidings-pattern": "t.>" },
        },
      ],
    });
    const posts = () => server.requests.filter(({ head }) => !head.includes("/_tidings/"));
    return { broker, ...opened, posts };
  }

  test("is the envelope as published, with nothing added; id, topic, key and attempt are request headers", async () => {
    const { broker, posts } = await bareSubscription(
      () => 'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"kind":"ack"}',
    );
    await broker.publish(
      "t.grün",
      { header: { a: "1<&>", ["__proto__"]: "2" }, body: "hello" },
      { id: "id 1/ü", key: "k%" },
    );
    await until(() => posts().length === 1, { what: "the message was posted" });
    const { head, body } = posts()[0] as { head: string; body: string };
    expect(body).toBe(
      '{"Header":{"__proto__":"2","a":"1\\u003c\\u0026\\u003e"},"Body":"aGVsbG8="}'.replace("__proto__", "__proto__"),
    );
    expect(head).toMatch(/^POST \/\?id=bare%20node HTTP\/1\.1\r\n/);
    const header = (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1];
    expect(header("Content-Type")).toBe("application/json");
    expect(decodeText(header(WIRE_HEADERS.id))).toBe("id 1/ü");
    expect(decodeText(header(WIRE_HEADERS.topic))).toBe("t.grün");
    expect(decodeText(header(WIRE_HEADERS.key))).toBe("k%");
    expect(header(WIRE_HEADERS.attempt)).toBe("1");
    expect(header("Origin")).toBeUndefined();
  });

  test("comes again after the delay of the answer, with the attempt of the answer", async () => {
    const answers = [{ kind: "retry", delayMs: 30, attempt: 2, firstFailureAt: 5 }, { kind: "ack" }].map((value) =>
      JSON.stringify(value),
    );
    const { broker, posts } = await bareSubscription(() => {
      const text = answers.shift() ?? "{}";
      return `HTTP/1.1 ${answers.length === 1 ? 503 : 200} X\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
    });
    await broker.publish("t.x", { body: "hello" });
    await until(() => posts().length === 2, { what: "the message was posted again" });
    expect(posts()[1]?.head).toMatch(/^tidings-attempt: 2$/im);
    expect(posts()[1]?.head).toMatch(/^tidings-first-failure: 5$/im);
    await broker.flush();
  });

  test.each([
    ["an empty object", 200, "{}"],
    ["null", 422, "null"],
    ["a dead letter to a pattern", 422, '{"kind":"dead","to":"a.*","reason":"","attempts":1,"firstAt":1,"lastAt":1}'],
    ["a dead letter beyond time", 422, '{"kind":"dead","to":"a","reason":"","attempts":1,"firstAt":1,"lastAt":1e300}'],
    ["half of JSON", 500, '\u0000{"'],
    ["a redirection", 301, ""],
    ["no content", 204, ""],
    ["another protocol", 101, ""],
    ["no HTTP", 0, ""],
  ])("is kept and sent again when the answer is %s", async (_name, status, text) => {
    const head = `HTTP/1.1 ${status} X\r\nConnection: ${status === 101 ? "Upgrade\r\nUpgrade: x" : "keep-alive"}`;
    const rubbish = [status === 0 ? "garbage\r\n\r\n" : `${head}\r\nContent-Length: ${text.length}\r\n\r\n${text}`];
    const { broker, posts } = await bareSubscription(
      () => rubbish.pop() ?? 'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"kind":"ack"}',
    );
    await broker.publish("t.x", { body: "hello" });
    await until(() => posts().length === 2, { what: "the message was posted again" });
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
  });
});

test("nothing is added to a message on its way between processes", async () => {
  const received: Delivery[] = [];
  const { folder } = await receiver((delivery) => void received.push(delivery));
  const { broker } = await openBroker(folder);
  const header = { "Micro-Topic": "mine", a: "", [" ü\u0000\n"]: "\u2028<&>", ["__proto__"]: "x" };
  const body = Uint8Array.from({ length: 256 }, (_one, index) => index);
  await broker.publish("t.x", { header, body }, { id: "ï/%", key: "k ö" });
  await until(() => received.length === 1, { what: "the message arrived" });
  const [delivery] = received;
  expect(Object.entries(delivery?.message.header ?? {}).sort()).toEqual(Object.entries(header).sort());
  expect(Buffer.from(delivery?.message.body ?? [])).toEqual(Buffer.from(body));
  expect(delivery).toMatchObject({ id: "ï/%", topic: "t.x", attempt: 1 });
});

test("a message that is too large for its receiver becomes a dead letter with the reason", async () => {
  const folder = await registryFolder();
  const { broker: small } = await openBroker(folder, {}, { maxMessageBytes: 1_000 });
  const heard: number[] = [];
  await small.subscribe("t.x", (delivery) => void heard.push(delivery.message.body.byteLength), { queue: "q" });
  const { broker } = await openBroker(folder, {}, { maxMessageBytes: 16 * 1024 * 1024 });
  await broker.publish("t.x", { body: new Uint8Array(8 * 1024 * 1024) });
  await broker.publish("t.x", { body: "small" });
  const letters = await until(
    async () => {
      const found = await broker.deadLetters.list("t.x");
      return found.length > 0 ? found : undefined;
    },
    { what: "the large message was dead-lettered" },
  );
  expect(letters[0]).toMatchObject({ queue: "q", attempts: 0, reason: expect.stringContaining("too large") });
  await until(() => heard.length > 0, { what: "the small one arrived" });
  expect(heard).toEqual([5]);
});

test("a full member does not keep a message from another that has room", async () => {
  const folder = await registryFolder();
  const gate = deferred<void>();
  const heard: string[] = [];
  const member = async (name: string, prefetch: number) => {
    const { broker } = await openBroker(folder);
    const handler = (delivery: Delivery) => {
      heard.push(`${name} ${delivery.text()}`);
      return gate.promise;
    };
    await broker.subscribe("t.x", handler, { queue: "q", concurrency: prefetch });
  };
  await member("full", 1);
  const { broker: first } = await openBroker(folder);
  await first.publish("t.x", { body: "filling" });
  await member("roomy", 8);
  const { broker: second } = await openBroker(folder);
  for (let n = 0; n < 4; n += 1) await second.publish("t.x", { body: String(n) });
  expect(heard).toEqual(["full filling", "roomy 0", "roomy 1", "roomy 2", "roomy 3"]);
  gate.resolve();
});

test("a registered pattern is no go-micro topic", async () => {
  const folder = await registryFolder();
  const { broker } = await openBroker(folder, { wire: "go-micro" });
  for (const topic of ["a.*", "a.>", "*", ">", "*.b", "a.b"]) await broker.subscribe(topic, () => {});
  const nodes = await subscriptionNodes(local({ folder }), SERVICE_NAMES.goMicro);
  expect(nodes.flatMap(({ metadata }) => metadata["topic"] ?? [])).toEqual(["a.b"]);
  expect(new Set(nodes.map(({ id }) => id)).size).toBe(6);
  for (const { id } of nodes) expect(id).toMatch(/^[a-z0-9-]{1,63}$/);
});
