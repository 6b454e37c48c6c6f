import { describe, expect, test } from "vitest";
import type { SubscribeOptions } from "../../src/broker-options.ts";
import { writeEnvelope } from "../../src/codecs/go-micro-envelope.ts";
import type { Delivery, Handler } from "../../src/delivery.ts";
import { BROADCAST_VERSION, SERVICE_NAMES } from "../../src/drivers/http/service-names.ts";
import { FRAME } from "../../src/drivers/http/wire/frames.ts";
import { newChallenge } from "../../src/drivers/http/wire/handshake.ts";
import { local } from "../../src/registries/local/index.ts";
import type { Registry } from "../../src/registry.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bareServer } from "./support/bare-server.ts";
import { openBroker, registryFolder, subscriptionNodes, theNode } from "./support/brokers.ts";
import { goPost } from "./support/messages.ts";
import { RawConnection } from "./support/raw.ts";
import { frame, wireRequest } from "./support/wire-peer.ts";

const fast: SubscribeOptions = { maxAttempts: 3, backoffMs: 10, maxBackoffMs: 20 };

/** A broker that speaks go-micro, with one subscription. */
async function goReceiver(handler: Handler, options: SubscribeOptions = {}, topic = "t.x") {
  const folder = await registryFolder();
  const registry = local({ folder });
  const opened = await openBroker(folder, { wire: "go-micro" });
  await opened.broker.subscribe(topic, handler, options);
  const node = await theNode(registry);
  const connection = await RawConnection.open(node.address);
  return { ...opened, folder, registry, node, connection };
}

/** Registers a node as go-micro's `broker/http` does. */
async function registerGo(
  registry: Registry,
  id: string,
  address: string,
  topic: string,
  queue?: string,
  name: string = SERVICE_NAMES.goMicro,
) {
  await registry.register({
    name,
    version: queue ?? BROADCAST_VERSION,
    metadata: {},
    endpoints: [],
    nodes: [{ id, address, metadata: { broker: "http", secure: "false", topic } }],
  });
}

describe("from a go-micro publisher", () => {
  test("a captured request reaches the subscriber and is answered 200 with no body", async () => {
    const received: Delivery[] = [];
    const { node, connection } = await goReceiver((delivery) => void received.push(delivery));
    // The bytes of a publisher of version 6, but for the host, the id and with it nothing else.
    connection.write(
      `POST /?id=${node.id} HTTP/1.1\r\nHost: ${node.address}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 100\r\n` +
        "Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n" +
        '{"Header":{"Content-Type":"application/json","Foo":"bar","Micro-Topic":"t.x"},"Body":"eyJhIjoxfQ=="}',
    );
    const answer = await connection.answer();
    expect(answer).toMatchObject({ status: 200, body: "", headers: { "content-length": "0" } });
    expect(answer.headers["content-type"]).toBeUndefined();
    await until(() => received.length === 1, { what: "the message arrived" });
    const [delivery] = received;
    expect({ ...delivery?.message.header }).toEqual({
      "Content-Type": "application/json",
      Foo: "bar",
      "Micro-Topic": "t.x",
    });
    expect(delivery).toMatchObject({ topic: "t.x", attempt: 1, key: undefined });
    expect(delivery?.json()).toEqual({ a: 1 });
  });

  test("any path reaches it, and the connection serves many requests", async () => {
    const heard: string[] = [];
    const { node, connection } = await goReceiver((delivery) => void heard.push(delivery.text()));
    for (const path of ["/", "/_sub", "/anything/else"]) {
      const request = goPost(node.id, "t.x", path);
      expect((await connection.ask({ ...request, path: `${path}?id=${node.id}` })).status).toBe(200);
    }
    await until(() => heard.length === 3, { what: "all arrived" });
    expect(heard).toEqual(["/", "/_sub", "/anything/else"]);
  });

  test.each(["Micro-ID", "Micro-Id"])("the message's id is its header %s", async (name) => {
    const ids: string[] = [];
    const { node, connection } = await goReceiver((delivery) => void ids.push(delivery.id));
    await connection.ask(goPost(node.id, "t.x", "", { [name]: "437ec7e3" }));
    await until(() => ids.length === 1, { what: "the message arrived" });
    expect(ids).toEqual(["437ec7e3"]);
  });

  test("an id that is none is replaced, so that the message can go anywhere", async () => {
    const ids: string[] = [];
    const { node, connection } = await goReceiver((delivery) => void ids.push(delivery.id));
    await connection.ask(goPost(node.id, "t.x", "", { "Micro-ID": "x".repeat(100_000) }));
    await until(() => ids.length === 1, { what: "the message arrived" });
    expect(Buffer.byteLength(ids[0] ?? "")).toBeLessThanOrEqual(256);
  });

  test("what the handler fails on is kept here, tried again, and dead-lettered at last", async () => {
    const attempts: number[] = [];
    const { broker, node, connection } = await goReceiver((delivery) => {
      attempts.push(delivery.attempt);
      throw new Error("broken");
    }, fast);
    expect((await connection.ask(goPost(node.id, "t.x", "poison", { "Micro-ID": "m1" }))).status).toBe(200);
    connection.socket.destroy();
    const letters = await until(
      async () => {
        const found = await broker.deadLetters.list("t.x");
        return found.length > 0 ? found : undefined;
      },
      { what: "the message was dead-lettered" },
    );
    expect(attempts).toEqual([1, 2, 3]);
    expect(letters).toMatchObject([{ id: "m1", topic: "t.x", queue: undefined, reason: "broken", attempts: 3 }]);
    expect(Buffer.from(letters[0]?.body ?? []).toString()).toBe("poison");
    expect({ ...letters[0]?.header }).toEqual({ "Micro-ID": "m1", "Micro-Topic": "t.x" });
  });

  test("what a subscriber of a queue fails on goes to another member in another process", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    const heard: string[] = [];
    const failing = { queue: "q", backoffMs: 10, maxBackoffMs: 20, concurrency: 1, maxAttempts: 50 };
    await broker.subscribe("t.x", () => Promise.reject(new Error("not here")), failing);
    const node = await theNode(registry);
    const { broker: other } = await openBroker(folder, { wire: "go-micro" });
    // Members take turns, so that a message may fail several times before its turn comes to the other.
    await other.subscribe("t.x", (delivery) => void heard.push(`${delivery.text()} ${delivery.attempt > 1}`), {
      queue: "q",
      maxAttempts: 50,
    });
    const connection = await RawConnection.open(node.address);
    for (let n = 0; n < 10; n += 1) await connection.ask(goPost(node.id, "t.x", String(n)));
    await until(() => heard.length === 10, { what: "the other member handled all", detail: () => heard.join() });
    expect(heard.map((text) => text.split(" ")[0]).sort()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    expect(heard.some((text) => text.endsWith("true"))).toBe(true);
  });

  test("a queue that was removed, with its member staying, still takes them", async () => {
    const heard: string[] = [];
    const { broker, node, connection } = await goReceiver((delivery) => void heard.push(delivery.text()), {
      queue: "q",
    });
    await connection.ask(goPost(node.id, "t.x", "before"));
    await until(() => heard.length === 1, { what: "the first arrived" });
    expect(await broker.queues.remove("t.x", "q")).toBe(true);
    expect((await connection.ask(goPost(node.id, "t.x", "after"))).status).toBe(200);
    await until(() => heard.length === 2, { what: "the second arrived" });
    expect(heard).toEqual(["before", "after"]);
  });

  test("an id that names a pattern's subscription takes its topics only", async () => {
    const heard: string[] = [];
    const { node, connection } = await goReceiver((delivery) => void heard.push(delivery.topic), {}, "t.*");
    expect((await connection.ask(goPost(node.id, "t.x", ""))).status).toBe(200);
    for (const topic of ["u.x", "t.x.y", "t.*", "t.\u0000", "t.", `t.${"x".repeat(300)}`, "dlq.t.x"]) {
      expect([topic, (await connection.ask(goPost(node.id, topic, ""))).status]).toEqual([topic, 404]);
    }
    await until(() => heard.length === 1, { what: "the one message arrived" });
    expect(heard).toEqual(["t.x"]);
  });

  test("a full backlog is told with 503", async () => {
    const folder = await registryFolder();
    const { broker } = await openBroker(folder, { wire: "go-micro", backlogMessages: 1 }, { drainTimeoutMs: 100 });
    await broker.subscribe("t.x", () => new Promise(() => {}), { concurrency: 1 });
    const node = await theNode(local({ folder }));
    const connection = await RawConnection.open(node.address);
    expect((await connection.ask(goPost(node.id, "t.x", "1"))).status).toBe(200);
    expect((await connection.ask(goPost(node.id, "t.x", "2"))).status).toBe(503);
  });

  test.each<[string, number, string | undefined, object]>([
    ["GET", 405, undefined, { id: "go.micro.broker", code: 400, detail: "Method not allowed", status: "Bad Request" }],
    [
      "wrong JSON",
      500,
      '{"Header":',
      {
        id: "go.micro.broker",
        code: 500,
        detail: expect.stringMatching(/^Error parsing request body: ./),
        status: "Internal Server Error",
      },
    ],
    [
      "an empty body",
      500,
      "",
      {
        id: "go.micro.broker",
        code: 500,
        detail: expect.stringMatching(/^Error parsing request body: ./),
        status: "Internal Server Error",
      },
    ],
    [
      "no topic",
      500,
      '{"Header":{},"Body":""}',
      { id: "go.micro.broker", code: 500, detail: "Topic not found", status: "Internal Server Error" },
    ],
    [
      "an empty topic",
      500,
      '{"Header":{"Micro-Topic":""},"Body":""}',
      { id: "go.micro.broker", code: 500, detail: "Topic not found", status: "Internal Server Error" },
    ],
    [
      "a topic in another case",
      500,
      '{"Header":{"micro-topic":"t.x"},"Body":""}',
      { id: "go.micro.broker", code: 500, detail: "Topic not found", status: "Internal Server Error" },
    ],
  ])("%s is answered with status %i and go-micro's JSON", async (_name, status, body, error) => {
    const { node, connection } = await goReceiver(() => {});
    const path = `/?id=${node.id}`;
    const answer = await connection.ask(body === undefined ? { method: "GET", path } : { path, body });
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(answer.headers["x-content-type-options"]).toBe("nosniff");
    expect(answer.body.endsWith("\n")).toBe(true);
    const value = JSON.parse(answer.body);
    expect(value).toEqual(error);
    expect(answer.body).toBe(
      `${JSON.stringify({ id: value.id, code: value.code, detail: value.detail, status: value.status })}\n`,
    );
  });

  test("the wire of Tidings peers needs the proof all the same", async () => {
    const heard: string[] = [];
    const { node } = await goReceiver((delivery) => void heard.push(delivery.text()));
    const { address } = node;
    const request = goPost(node.id, "t.x", "x");
    const greeter = await RawConnection.open(address);
    expect((await greeter.ask(wireRequest(newChallenge()))).status).toBe(101);
    greeter.write(frame(FRAME.proof, new Uint8Array(32)));
    await greeter.closed();
    const stranger = await RawConnection.open(address);
    expect((await stranger.ask(wireRequest(undefined))).status).toBe(401);
    await stranger.closed();
    for (const headers of [{ Origin: "null" }, { Host: "evil.example" }]) {
      const connection = await RawConnection.open(address);
      expect((await connection.ask({ ...request, headers: { ...request.headers, ...headers } })).status).toBe(403);
    }
    expect(heard).toEqual([]);
  });
});

describe("to a go-micro subscriber", () => {
  test("a message is go-micro's request, byte for byte", async () => {
    const folder = await registryFolder();
    const server = await bareServer();
    await registerGo(local({ folder }), "t.x-some id&~*üuuid", server.address, "t.x");
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    const header = { "Content-Type": "application/json", Foo: "bar" };
    const receipt = await broker.publish("t.x", { header, body: '{"a":1}' }, { key: "k" });
    expect(receipt.state).toBe("accepted");
    expect(server.requests).toHaveLength(1);
    const [head = "", ...lines] = server.requests[0]?.head.split("\r\n") ?? [];
    // As Go's url.QueryEscape writes it.
    expect(head).toBe("POST /?id=t.x-some+id%26~%2A%C3%BCuuid HTTP/1.1");
    const names = lines.map((line) => line.split(":")[0]?.toLowerCase());
    expect(names.filter((name) => name?.startsWith("tidings"))).toEqual([]);
    expect(lines).toContain("Content-Type: application/json");
    expect(lines).toContain(`Host: ${server.address}`);
    expect(server.requests[0]?.body).toBe(
      '{"Header":{"Content-Type":"application/json","Foo":"bar","Micro-Topic":"t.x"},"Body":"eyJhIjoxfQ=="}',
    );
    await broker.flush();
  });

  test("nodes of one queue share, also with Tidings members, and each broadcast node gets its own", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const servers = await Promise.all([bareServer(), bareServer(), bareServer(), bareServer()]);
    const [one, two, broadcast, elsewhere] = servers as [
      (typeof servers)[0],
      (typeof servers)[0],
      (typeof servers)[0],
      (typeof servers)[0],
    ];
    await registerGo(registry, "q1", one.address, "t.x", "q");
    await registerGo(registry, "q2", two.address, "t.x", "q");
    await registerGo(registry, "b1", broadcast.address, "t.x");
    await registerGo(registry, "e1", elsewhere.address, "t.y");
    const { broker: member } = await openBroker(folder, { wire: "go-micro" });
    const heard: string[] = [];
    await member.subscribe("t.x", (delivery) => void heard.push(delivery.text()), { queue: "q" });
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    const sent = Array.from({ length: 60 }, (_one, index) => String(index));
    await Promise.all(sent.map((body) => broker.publish("t.x", { body })));
    await broker.flush({ signal: AbortSignal.timeout(15_000) });
    const bodies = (server: typeof one) =>
      server.requests.map(({ body }) => Buffer.from(JSON.parse(body).Body, "base64").toString());
    const shared = [...bodies(one), ...bodies(two), ...heard];
    expect([...shared].sort()).toEqual([...sent].sort());
    for (const part of [bodies(one), bodies(two), heard]) expect(part.length).toBeGreaterThan(0);
    expect(bodies(broadcast)).toEqual(sent);
    expect(elsewhere.requests).toEqual([]);
  });

  test.each([200, 404, 500, 301])("any answer, such as %i, is delivery", async (status) => {
    const folder = await registryFolder();
    const server = await bareServer(() => `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\nLocation: /\r\n\r\n`);
    await registerGo(local({ folder }), "n", server.address, "t.x");
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    expect((await broker.publish("t.x", { body: "1" })).state).toBe("accepted");
    await broker.flush({ signal: AbortSignal.timeout(10_000) });
    expect(server.requests).toHaveLength(1);
  });

  test("a request that fails is made again", async () => {
    const folder = await registryFolder();
    let failures = 3;
    const server = await bareServer((_head, _body, socket) => {
      failures -= 1;
      if (failures < 0) return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      socket.resetAndDestroy();
      return undefined;
    });
    await registerGo(local({ folder }), "n", server.address, "t.x");
    const { broker, errors } = await openBroker(folder, { wire: "go-micro" });
    expect((await broker.publish("t.x", { body: "1" })).state).toBe("accepted");
    expect(server.requests).toHaveLength(4);
    expect(errors[0]?.code).toBe("ERR_CONNECTION_LOST");
  });

  test("a node that is not reached yet gets its messages in order once it is", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    for (let n = 0; n < 5; n += 1) expect((await broker.publish("t.x", { body: String(n) })).state).toBe("waiting");
    const server = await bareServer();
    await registerGo(registry, "n", server.address, "t.x");
    await until(() => server.requests.length === 5, { what: "the messages came" });
    expect(server.requests.map(({ body }) => Buffer.from(JSON.parse(body).Body, "base64").toString())).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
    ]);
  });

  test("nodes with TLS, of other brokers, or without a topic are left alone", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const server = await bareServer();
    const metadata = [
      { broker: "http", secure: "true", topic: "t.x" },
      { broker: "nats", topic: "t.x" },
      { broker: "http" },
      { broker: "http", topic: "t.>" },
    ];
    for (const [index, one] of metadata.entries()) {
      const node = { id: `n${index}`, address: server.address, metadata: one };
      await registry.register({
        name: SERVICE_NAMES.goMicro,
        version: BROADCAST_VERSION,
        metadata: {},
        endpoints: [],
        nodes: [node],
      });
    }
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    await expect(broker.publish("t.x", { body: "1" }, { mandatory: true })).rejects.toMatchObject({
      code: "ERR_NO_SUBSCRIBERS",
    });
    expect(server.requests).toEqual([]);
  });
});

describe('without wire "go-micro"', () => {
  test("a go-micro request gets 401 and is not delivered", async () => {
    const folder = await registryFolder();
    const { broker } = await openBroker(folder);
    const heard: string[] = [];
    await broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
    const connection = await RawConnection.open(broker.address);
    expect((await connection.ask(goPost("any", "t.x", "x"))).status).toBe(401);
    await connection.closed();
    await broker.publish("t.x", { body: "fine" });
    await until(() => heard.length === 1, { what: "a normal publish arrived" });
    expect(heard).toEqual(["fine"]);
  });

  test("a go-micro node is not sent anything, and sees no subscription", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const server = await bareServer();
    await registerGo(registry, "n", server.address, "t.x");
    const { broker } = await openBroker(folder);
    await expect(broker.publish("t.x", { body: "1" }, { mandatory: true })).rejects.toMatchObject({
      code: "ERR_NO_SUBSCRIBERS",
    });
    await broker.subscribe("t.x", () => {});
    expect((await subscriptionNodes(registry)).map(({ id }) => id)).toEqual(["n"]);
    await broker.publish("t.x", { body: "2" });
    expect(server.bytes).toBe("");
  });

  test("peers of both wires hear each other", async () => {
    const folder = await registryFolder();
    const { broker: both } = await openBroker(folder, { wire: "go-micro" });
    const { broker: one } = await openBroker(folder);
    const heard: string[] = [];
    await both.subscribe("t.x", (delivery) => void heard.push(`both ${delivery.text()}`));
    await one.subscribe("t.x", (delivery) => void heard.push(`one ${delivery.text()}`));
    await both.publish("t.x", { body: "1" });
    await one.publish("t.x", { body: "2" });
    await until(() => heard.length === 4, { what: "both heard both" });
    expect(heard.sort()).toEqual(["both 1", "both 2", "one 1", "one 2"]);
  });
});

describe("with the older wire", () => {
  const OLD = { wire: "go-micro", oldWire: true } as const;

  test("a subscription is registered under both names, and taken from both wires", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const { broker } = await openBroker(folder, OLD);
    const received: Delivery[] = [];
    const subscriber = await broker.subscribe("t.x", (delivery) => void received.push(delivery), { queue: "q" });
    const node = await theNode(registry, SERVICE_NAMES.oldGoMicro);
    expect(await theNode(registry, SERVICE_NAMES.goMicro)).toEqual(node);
    expect((await registry.getService(SERVICE_NAMES.oldGoMicro))[0]?.version).toBe("q");
    const connection = await RawConnection.open(node.address);
    const header = { ":topic": "t.x", Foo: "bar", "Micro-Id": "m1" };
    const old = { path: `/_sub?id=${node.id}`, body: writeEnvelope(header, Buffer.from("old")) };
    expect(await connection.ask({ ...goPost(node.id, "t.x", ""), ...old })).toMatchObject({ status: 200, body: "" });
    expect((await connection.ask(goPost(node.id, "t.x", "new"))).status).toBe(200);
    await until(() => received.length === 2, { what: "both arrived" });
    expect(received.map((delivery) => [delivery.text(), { ...delivery.message.header }])).toEqual([
      ["old", { Foo: "bar", "Micro-Id": "m1" }],
      ["new", { "Micro-Topic": "t.x" }],
    ]);
    expect(received[0]?.id).toBe("m1");
    await subscriber.unsubscribe();
    for (const name of [SERVICE_NAMES.oldGoMicro, SERVICE_NAMES.goMicro])
      expect(await subscriptionNodes(registry, name)).toEqual([]);
  });

  test("older nodes are reached by their path and topic header, newer ones by theirs, and Tidings once", async () => {
    const folder = await registryFolder();
    const registry = local({ folder });
    const [older, newer] = [await bareServer(), await bareServer()];
    await registerGo(registry, "o1", older.address, "t.x", undefined, SERVICE_NAMES.oldGoMicro);
    await registerGo(registry, "n1", newer.address, "t.x");
    const heard: string[] = [];
    const { broker: member } = await openBroker(folder, OLD);
    await member.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
    const { broker } = await openBroker(folder, OLD);
    await broker.publish("t.x", { header: { Foo: "bar" }, body: "1" });
    await broker.flush();
    expect(heard).toEqual(["1"]);
    expect(older.requests.map(({ head, body }) => [head.split("\r\n")[0], body])).toEqual([
      ["POST /_sub?id=o1 HTTP/1.1", '{"Header":{":topic":"t.x","Foo":"bar"},"Body":"MQ=="}'],
    ]);
    expect(newer.requests.map(({ head, body }) => [head.split("\r\n")[0], body])).toEqual([
      ["POST /?id=n1 HTTP/1.1", '{"Header":{"Foo":"bar","Micro-Topic":"t.x"},"Body":"MQ=="}'],
    ]);
  });

  test("switched off, older nodes are left alone", async () => {
    const folder = await registryFolder();
    const server = await bareServer();
    await registerGo(local({ folder }), "o1", server.address, "t.x", undefined, SERVICE_NAMES.oldGoMicro);
    const { broker } = await openBroker(folder, { wire: "go-micro" });
    expect((await broker.publish("t.x", { body: "1" })).state).toBe("waiting");
    expect(server.requests).toEqual([]);
  });
});
