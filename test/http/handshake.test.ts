import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { newChallenge, proofOf } from "../../src/drivers/http/handshake.ts";
import { SERVICE_NAMES, WIRE_HEADERS, WIRE_PATHS } from "../../src/drivers/http/wire.ts";
import { local } from "../../src/registries/local/index.ts";
import { memory } from "../../src/registries/memory.ts";
import type { Registry } from "../../src/registry.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bareServer } from "./support/bare-server.ts";
import { openBroker, registryFolder, theNode } from "./support/brokers.ts";
import { peerPost } from "./support/messages.ts";
import { RawConnection } from "./support/raw.ts";

async function subscribed() {
  const folder = await registryFolder();
  const registry = local({ folder });
  const { broker, errors } = await openBroker(folder);
  const heard: string[] = [];
  await broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
  const node = await theNode(registry);
  const secret = (await registry.secret?.()) as Uint8Array;
  const message = (body = "x") => peerPost(node.id, { topic: "t.x", body });
  const call = (name: string, argument: unknown) => ({
    path: WIRE_PATHS.call + name,
    body: JSON.stringify(argument),
  });
  /** A normal publish from another process's point of view still arrives. */
  const stillWorks = async () => {
    const { broker: other } = await openBroker(folder);
    const before = heard.length;
    await other.publish("t.x", { body: "fine" });
    await until(() => heard.length > before, { what: "a normal publish arrived" });
    expect(heard.slice(before)).toEqual(["fine"]);
    expect(errors).toEqual([]);
  };
  return { folder, registry, broker, heard, node, secret, message, call, stillWorks };
}

describe("before a message", () => {
  test("both sides prove the secret, and then it is taken", async () => {
    const { broker, heard, secret, message, call } = await subscribed();
    const connection = await RawConnection.open(broker.address);
    expect((await connection.prove(secret)).status).toBe(204);
    expect((await connection.ask(message("hello"))).status).toBe(102);
    expect((await connection.answer()).status).toBe(200);
    expect(heard).toEqual(["hello"]);
    expect(await connection.ask(call("queues", null))).toMatchObject({ status: 200, body: "[]" });
  });

  test("the server's proof is over the client's challenge and the address dialled", async () => {
    const { broker, secret } = await subscribed();
    const connection = await RawConnection.open(broker.address);
    const clientChallenge = newChallenge();
    const hello = await connection.ask({
      path: WIRE_PATHS.hello,
      headers: { [WIRE_HEADERS.challenge]: clientChallenge },
    });
    const serverChallenge = hello.headers[WIRE_HEADERS.challenge] ?? "";
    expect(hello.headers[WIRE_HEADERS.proof]).toBe(
      proofOf(secret, "server", { address: broker.address, clientChallenge, serverChallenge }),
    );
  });

  test("one connection's proof opens no other", async () => {
    const { broker, heard, secret, message, call } = await subscribed();
    const trusted = await RawConnection.open(broker.address);
    await trusted.prove(secret);
    for (const request of [message(), call("drop", { topic: "dlq.t.x" })]) {
      const stranger = await RawConnection.open(broker.address);
      expect((await stranger.ask(request)).status).toBe(401);
      await stranger.closed();
    }
    expect(heard).toEqual([]);
  });
});

describe("a peer that proves nothing", () => {
  test.each<[string, (given: Awaited<ReturnType<typeof subscribed>>, connection: RawConnection) => Promise<number>]>([
    ["no proof", async ({ message }, connection) => (await connection.ask(message())).status],
    [
      "a message before the proof",
      async ({ message }, connection) => {
        await connection.ask({ path: WIRE_PATHS.hello, headers: { [WIRE_HEADERS.challenge]: newChallenge() } });
        return (await connection.ask(message())).status;
      },
    ],
    [
      "a call before the proof",
      async ({ call }, connection) => (await connection.ask(call("drop", { topic: "dlq.t.x" }))).status,
    ],
    ["the wrong secret", async (_given, connection) => (await connection.prove(randomBytes(32))).status],
    [
      "a proof before hello",
      async (_given, connection) =>
        (await connection.ask({ path: WIRE_PATHS.prove, headers: { [WIRE_HEADERS.proof]: "0".repeat(64) } })).status,
    ],
    [
      "a proof of nothing",
      async (_given, connection) => {
        await connection.ask({ path: WIRE_PATHS.hello, headers: { [WIRE_HEADERS.challenge]: newChallenge() } });
        return (await connection.ask({ path: WIRE_PATHS.prove })).status;
      },
    ],
    [
      "a proof for another address: the challenge was relayed",
      async ({ secret }, connection) => (await connection.prove(secret, "127.0.0.1:1")).status,
    ],
    [
      "the server's own proof, reflected",
      async (_given, connection) => {
        const hello = await connection.ask({
          path: WIRE_PATHS.hello,
          headers: { [WIRE_HEADERS.challenge]: newChallenge() },
        });
        const proof = hello.headers[WIRE_HEADERS.proof] ?? "";
        return (await connection.ask({ path: WIRE_PATHS.prove, headers: { [WIRE_HEADERS.proof]: proof } })).status;
      },
    ],
    [
      "the server's challenge as its own, so that the proofs would be alike",
      async (_given, connection) => {
        const first = await connection.ask({
          path: WIRE_PATHS.hello,
          headers: { [WIRE_HEADERS.challenge]: newChallenge() },
        });
        const reflected = first.headers[WIRE_HEADERS.challenge] ?? "";
        const second = await connection.ask({
          path: WIRE_PATHS.hello,
          headers: { [WIRE_HEADERS.challenge]: reflected },
        });
        const proof = second.headers[WIRE_HEADERS.proof] ?? "";
        return (await connection.ask({ path: WIRE_PATHS.prove, headers: { [WIRE_HEADERS.proof]: proof } })).status;
      },
    ],
  ])("gets 401 and loses its connection: %s", async (_name, attack) => {
    const given = await subscribed();
    const connection = await RawConnection.open(given.broker.address);
    expect(await attack(given, connection)).toBe(401);
    await connection.closed();
    expect(given.heard).toEqual([]);
    await given.stillWorks();
  });

  test("gets 401 for a proof that was good on another connection, and for one used twice", async () => {
    const { broker, secret, stillWorks } = await subscribed();
    const first = await RawConnection.open(broker.address);
    const { proof } = await first.prove(secret);
    const again = await first.ask({ path: WIRE_PATHS.prove, headers: { [WIRE_HEADERS.proof]: proof } });
    expect(again.status).toBe(401);
    await first.closed();
    const second = await RawConnection.open(broker.address);
    await second.ask({ path: WIRE_PATHS.hello, headers: { [WIRE_HEADERS.challenge]: newChallenge() } });
    expect((await second.ask({ path: WIRE_PATHS.prove, headers: { [WIRE_HEADERS.proof]: proof } })).status).toBe(401);
    await stillWorks();
  });

  test("gets 400 for a hello without a challenge", async () => {
    const { broker, stillWorks } = await subscribed();
    for (const challenge of ["", "0".repeat(63), "G".repeat(64)]) {
      const connection = await RawConnection.open(broker.address);
      const answer = await connection.ask({ path: WIRE_PATHS.hello, headers: { [WIRE_HEADERS.challenge]: challenge } });
      expect(answer.status).toBe(400);
    }
    await stillWorks();
  });

  test("gains nothing from what it sends ahead of the answers", async () => {
    const { broker, heard, secret, message, stillWorks } = await subscribed();
    const connection = await RawConnection.open(broker.address);
    // Everything in one write: the proof cannot be for the challenge that the server is about to make.
    connection.request({ path: WIRE_PATHS.hello, headers: { [WIRE_HEADERS.challenge]: newChallenge() } });
    const guess = { address: broker.address, clientChallenge: newChallenge(), serverChallenge: newChallenge() };
    connection.request({ path: WIRE_PATHS.prove, headers: { [WIRE_HEADERS.proof]: proofOf(secret, "client", guess) } });
    connection.request(message("early"));
    expect((await connection.answer()).status).toBe(200);
    expect((await connection.answer()).status).toBe(401);
    await connection.closed();
    expect(heard).toEqual([]);
    await stillWorks();
  });

  test.each([
    ["//_tidings/call/drop"],
    ["/_tidings/call"],
    ["/_tidings/../_tidings/call/drop"],
    ["/%5ftidings/call/drop"],
    ["/_TIDINGS/call/drop"],
    ["/_tidings/call/drop?id=1"],
    ["/_tidings/call/drop#x"],
    ["http://127.0.0.1/_tidings/call/drop"],
    ["http://evil.example/_tidings/prove"],
    ["/_tidings/hello/"],
    ["/_tidings/call/__proto__"],
    ["*"],
  ])("gets 401 for the path %s", async (path) => {
    const { broker, heard, stillWorks } = await subscribed();
    const connection = await RawConnection.open(broker.address);
    expect((await connection.ask({ path, body: '{"topic":"dlq.t.x"}' })).status).toBe(401);
    await connection.closed();
    expect(heard).toEqual([]);
    await stillWorks();
  });
});

describe("an impostor", () => {
  async function impostor(registry: Registry, answer: (head: string) => string | undefined) {
    const server = await bareServer(answer);
    await registry.register({
      name: SERVICE_NAMES.tidings,
      version: "ff.http.broadcast",
      metadata: {},
      endpoints: [],
      nodes: [
        {
          id: "impostor",
          address: server.address,
          metadata: { broker: "http", "tidings-wires": "post", "tidings-peer": "impostor", "tidings-pattern": "t.x" },
        },
      ],
    });
    return server;
  }

  test("that cannot prove the secret sees a challenge and nothing of the message", async () => {
    const registry = memory();
    const wrong = randomBytes(32);
    const server = await impostor(registry, (head) => {
      const clientChallenge = /^tidings-challenge: (\w+)$/im.exec(head)?.[1] ?? "";
      const serverChallenge = newChallenge();
      const proof = proofOf(wrong, "server", { address: "", clientChallenge, serverChallenge });
      return `HTTP/1.1 200 OK\r\nTidings-Challenge: ${serverChallenge}\r\nTidings-Proof: ${proof}\r\nContent-Length: 0\r\n\r\n`;
    });
    const { broker, errors } = await openBroker(registry, {}, { acceptTimeoutMs: 200, drainTimeoutMs: 200 });
    const receipt = await broker.publish("t.x", { header: { "X-Token": "confidential" }, body: "confidential" });
    expect(receipt.state).toBe("waiting");
    expect(errors[0]?.code).toBe("ERR_AUTHENTICATION");
    expect(server.requests.length).toBeGreaterThan(0);
    for (const { head } of server.requests) expect(head).toMatch(/^POST \/_tidings\/hello /);
    expect(server.bytes).not.toContain("confidential");
  });

  test("that relays to a real peer learns a proof for another address", async () => {
    const registry = memory();
    const { broker: real } = await openBroker(registry);
    const heard: string[] = [];
    await real.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
    const relay = await bareServer((head, _body, socket) => {
      const clientChallenge = /^tidings-challenge: (\w+)$/im.exec(head)?.[1] ?? "";
      RawConnection.open(real.address)
        .then((far) => far.ask({ path: WIRE_PATHS.hello, headers: { [WIRE_HEADERS.challenge]: clientChallenge } }))
        .then(({ headers }) => {
          const [challenge, proof] = [headers[WIRE_HEADERS.challenge], headers[WIRE_HEADERS.proof]];
          socket.write(
            `HTTP/1.1 200 OK\r\nTidings-Challenge: ${challenge}\r\nTidings-Proof: ${proof}\r\nContent-Length: 0\r\n\r\n`,
          );
        })
        .catch(() => socket.destroy());
      return undefined;
    });
    const version = "ff.http.broadcast";
    const metadata = {
      broker: "http",
      "tidings-wires": "post",
      "tidings-peer": "relay",
      "tidings-pattern": "t.relayed",
    };
    await registry.register({
      name: SERVICE_NAMES.tidings,
      version,
      metadata: {},
      endpoints: [],
      nodes: [{ id: "relay", address: relay.address, metadata }],
    });
    const { broker, errors } = await openBroker(registry, {}, { acceptTimeoutMs: 200, drainTimeoutMs: 200 });
    await broker.publish("t.relayed", { body: "confidential" });
    await until(() => errors.some(({ code }) => code === "ERR_AUTHENTICATION"), { what: "the relay was found out" });
    expect(relay.bytes).not.toContain("confidential");
    expect(heard).toEqual([]);
  });
});

test("a registry without a secret lets everybody in, and greets nobody", async () => {
  const { secret: _none, ...registry } = memory();
  const { broker } = await openBroker(registry);
  const heard: string[] = [];
  await broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
  const { broker: other } = await openBroker(registry);
  await other.publish("t.x", { body: "hello" });
  await until(() => heard.length === 1, { what: "the message arrived" });
  const connection = await RawConnection.open(broker.address);
  onTestFinished(() => void connection.socket.destroy());
  const hello = await connection.ask({ path: WIRE_PATHS.hello, headers: { [WIRE_HEADERS.challenge]: newChallenge() } });
  expect(hello.status).toBe(403);
});
