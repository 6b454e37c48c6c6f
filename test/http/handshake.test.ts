import { randomBytes, randomUUID } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { SERVICE_NAMES } from "../../src/drivers/http/service-names.ts";
import { FRAME, GOODBYE } from "../../src/drivers/http/wire/frames.ts";
import { HANDSHAKE_HEADERS, newChallenge, proofOf } from "../../src/drivers/http/wire/handshake.ts";
import { memory } from "../../src/registries/memory.ts";
import type { Registry } from "../../src/registry.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { type Attacked, attacked } from "./support/attacked.ts";
import { bareServer } from "./support/bare-server.ts";
import { openBroker } from "./support/brokers.ts";
import { type RawAnswer, RawConnection, type RawRequest } from "./support/raw.ts";
import { frame, frames, handshakeOf, WirePeer, wireRequest } from "./support/wire-peer.ts";

/** A connection whose request for the wire was answered, and what both sides know then. */
async function greeted(address: string) {
  const [challenge, peerId] = [newChallenge(), randomUUID()];
  const connection = await RawConnection.open(address);
  const answer = await connection.ask(wireRequest(challenge, { peerId }));
  return { connection, answer, challenge, peerId, handshake: handshakeOf(address, challenge, peerId, answer) };
}

describe("before the first message", () => {
  test("both sides prove the secret; then each tells the other what it has", async () => {
    const { address, secret, heard } = await attacked();
    const peer = await WirePeer.ready(address, secret);
    expect(peer.subscriptions).toMatchObject([{ index: 0, pattern: "t.x", queue: undefined, ackTimeoutMs: 30_000 }]);
    expect(await peer.outcome(await peer.deliver(0, { body: "hello" }))).toEqual({ kind: "ack" });
    expect(heard).toEqual(["hello"]);
  });

  test("the server's proof is over all that the two told each other, and the address dialled", async () => {
    const { address, secret } = await attacked();
    const { answer, handshake } = await greeted(address);
    expect(answer.status).toBe(101);
    expect(answer.headers["upgrade"]).toBe("tidings");
    expect(answer.headers[HANDSHAKE_HEADERS.proof]).toBe(proofOf(secret, "server", handshake).toString("hex"));
  });

  test("the server says nothing but its proof until the client has proved itself", async () => {
    const { address, survived } = await attacked();
    const { connection } = await greeted(address);
    await survived();
    expect(connection.unread.length).toBe(0);
    expect(connection.ended).toBe(false);
  });

  test("a version that both speak is chosen; without one the answer is 426 and names them", async () => {
    const { address, survived } = await attacked();
    const ask = async (versions: string | undefined) => {
      const request = wireRequest(newChallenge());
      const { [HANDSHAKE_HEADERS.versions]: _versions, ...headers } = request.headers as Record<string, string>;
      const connection = await RawConnection.open(address);
      const all = versions === undefined ? headers : { ...headers, [HANDSHAKE_HEADERS.versions]: versions };
      return connection.ask({ ...request, headers: all });
    };
    expect(await ask("7, 1")).toMatchObject({ status: 101, headers: { [HANDSHAKE_HEADERS.versions]: "1" } });
    for (const versions of ["2", "11", "", undefined])
      expect(await ask(versions)).toMatchObject({ status: 426, headers: { [HANDSHAKE_HEADERS.versions]: "1" } });
    await survived();
  });
});

describe("a peer that proves nothing", () => {
  const message = frames((writer) => {
    const content = { topic: "t.x", id: "i", key: undefined, header: {}, body: Buffer.from("attack"), bytes: 6 };
    writer.numbers(FRAME.ready);
    writer.message(1, 0, content, 1, undefined);
  });

  test.each<[string, (given: Attacked, hello: Awaited<ReturnType<typeof greeted>>) => Buffer]>([
    ["a message in place of the proof", () => message],
    ["a call in place of the proof", () => frame(FRAME.call, 1, 4, Buffer.from('drop{"topic":"dlq.t.x"}'))],
    ["no proof in its proof", () => frame(FRAME.proof)],
    ["a proof of zeros", () => frame(FRAME.proof, new Uint8Array(32))],
    [
      "a proof with the wrong secret",
      (_given, { handshake }) => frame(FRAME.proof, proofOf(randomBytes(32), "client", handshake)),
    ],
    [
      "a proof for another address: the challenge was relayed",
      ({ secret }, { handshake }) =>
        frame(FRAME.proof, proofOf(secret, "client", { ...handshake, address: "127.0.0.1:1" })),
    ],
    [
      "a proof of another peer",
      ({ secret }, { handshake }) =>
        frame(FRAME.proof, proofOf(secret, "client", { ...handshake, clientPeer: "another" })),
    ],
    [
      "the server's own proof, reflected",
      (_given, { answer }) => frame(FRAME.proof, Buffer.from(answer.headers[HANDSHAKE_HEADERS.proof] ?? "", "hex")),
    ],
    ["a frame that is too long for a proof", () => frame(FRAME.proof, new Uint8Array(100_000))],
    ["a length and nothing", () => Buffer.of(0xff, 0xff, 0xff, 0xff)],
  ])("loses its connection: %s", async (_name, attack) => {
    const given = await attacked();
    const hello = await greeted(given.address);
    hello.connection.write(Buffer.concat([attack(given, hello), message]));
    await hello.connection.closed();
    // One frame that says why, and no word of what this side has.
    expect(hello.connection.unread[4]).toBe(FRAME.goodbye);
    expect(given.heard).toEqual([]);
    await given.survived();
    expect(given.errors.map(({ code }) => code)).toEqual(["ERR_AUTHENTICATION"]);
    expect(given.errors[0]?.message).toMatch(/could not prove that it knows the shared secret/);
  });

  test("loses its connection for a proof that was good on another one", async () => {
    const { address, secret, survived } = await attacked();
    const [first, second] = [await greeted(address), await greeted(address)];
    second.connection.write(frame(FRAME.proof, proofOf(secret, "client", first.handshake)));
    await second.connection.closed();
    await survived();
  });

  test("gains nothing from what it sends ahead of the answer", async () => {
    const { address, secret, heard, survived } = await attacked();
    const [challenge, peerId] = [newChallenge(), randomUUID()];
    const connection = await RawConnection.open(address);
    // Everything at once: the proof cannot be for the challenge that the server is about to make.
    const guess = handshakeOf(address, challenge, peerId, { status: 101, headers: {}, body: "" });
    connection.request(wireRequest(challenge, { peerId }));
    connection.write(frame(FRAME.proof, proofOf(secret, "client", guess)));
    connection.write(message);
    expect((await connection.answer()).status).toBe(101);
    await connection.closed();
    expect(heard).toEqual([]);
    await survived();
  });

  test("in silence is left after a while", { timeout: 20_000 }, async () => {
    const { address, survived } = await attacked();
    const { connection } = await greeted(address);
    await until(() => connection.ended, { what: "it was left", deadlineMs: 15_000 });
    await survived();
  });

  test.each<[string, number, (request: RawRequest) => RawRequest]>([
    ["no challenge", 401, () => wireRequest(undefined)],
    ["half a challenge", 401, () => wireRequest("0".repeat(63))],
    ["another protocol", 400, ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, Upgrade: "websocket" } })],
    ["another path", 400, (request) => ({ ...request, path: "/_tidings/wire/" })],
    ["POST", 400, (request) => ({ ...request, method: "POST" })],
    ["no peer", 400, ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, [HANDSHAKE_HEADERS.peer]: "" } })],
    [
      "a peer that is no id",
      400,
      ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, [HANDSHAKE_HEADERS.peer]: "__proto__" } }),
    ],
    [
      "no limit",
      400,
      ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, [HANDSHAKE_HEADERS.maxMessageBytes]: "x" } }),
    ],
    ["a page's Origin", 403, ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, Origin: "null" } })],
    ["a foreign Host", 403, ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, Host: "evil.example" } })],
  ])("or asks with %s, gets %i", async (_name, status, change) => {
    const { address, survived } = await attacked();
    const connection = await RawConnection.open(address);
    const answer = await connection.ask(change(wireRequest(newChallenge())));
    expect(answer.status).toBe(status);
    await connection.closed();
    await survived();
  });
});

describe("an impostor", () => {
  async function impostor(registry: Registry, answer: Parameters<typeof bareServer>[0]) {
    const server = await bareServer(answer);
    const node = { id: "impostor", address: server.address, metadata: {} };
    await registry.register({ name: SERVICE_NAMES.peers, version: "1", metadata: {}, endpoints: [], nodes: [node] });
    return server;
  }

  const upgrade = (headers: Readonly<Record<string, string | undefined>>) =>
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tidings\r\n${Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n`;

  const terms = (address: string) => ({
    [HANDSHAKE_HEADERS.versions]: "1",
    [HANDSHAKE_HEADERS.peer]: "impostor",
    [HANDSHAKE_HEADERS.address]: address,
    [HANDSHAKE_HEADERS.maxMessageBytes]: "1000",
    [HANDSHAKE_HEADERS.idleMs]: "1000",
  });

  test.each<[string, (challenge: string) => Readonly<Record<string, string>>]>([
    [
      "that cannot prove the secret",
      (clientChallenge) => {
        const serverChallenge = newChallenge();
        const shared = { address: "", versions: "1", version: "1", clientPeer: "", serverPeer: "impostor" };
        const proof = proofOf(randomBytes(32), "server", { ...shared, clientChallenge, serverChallenge });
        return { [HANDSHAKE_HEADERS.challenge]: serverChallenge, [HANDSHAKE_HEADERS.proof]: proof.toString("hex") };
      },
    ],
    ["that shows no proof", () => ({ [HANDSHAKE_HEADERS.challenge]: newChallenge() })],
    ["that has no challenge", () => ({ [HANDSHAKE_HEADERS.proof]: "0".repeat(64) })],
    [
      "that reflects the challenge",
      (challenge) => ({ [HANDSHAKE_HEADERS.challenge]: challenge, [HANDSHAKE_HEADERS.proof]: challenge }),
    ],
  ])("%s sees a challenge, and nothing else", async (_name, shown) => {
    const registry = memory();
    const server = await impostor(registry, (head) => {
      const challenge = /^tidings-challenge: (\w+)$/im.exec(head)?.[1] ?? "";
      return upgrade({ ...terms("127.0.0.1:1"), ...shown(challenge) });
    });
    const { broker, errors } = await openBroker(registry, {}, { acceptTimeoutMs: 200, drainTimeoutMs: 200 });
    expect(errors[0]?.code).toBe("ERR_AUTHENTICATION");
    const receipt = await broker.publish("t.x", { header: { "X-Token": "confidential" }, body: "confidential" });
    expect(receipt.state).toBe("waiting");
    expect(server.requests.length).toBeGreaterThan(0);
    for (const { head } of server.requests) expect(head).toMatch(/^GET \/_tidings\/wire /);
    expect(server.bytes).not.toContain("confidential");
    // Nothing but requests: no frame was sent.
    expect(server.bytes).toMatch(/^(GET [\s\S]*?\r\n\r\n)+$/);
  });

  test("that relays to a real peer learns a proof for another address", async () => {
    const registry = memory();
    const { broker: real } = await openBroker(registry);
    const heard: string[] = [];
    await real.subscribe("t.relayed", (delivery) => void heard.push(delivery.text()));
    const relay = await impostor(registry, (head, _body, socket) => {
      const challenge = /^tidings-challenge: (\w+)$/im.exec(head)?.[1] ?? "";
      const peerId = /^tidings-peer: ([\w-]+)$/im.exec(head)?.[1] ?? "";
      RawConnection.open(real.address)
        .then((far) => far.ask(wireRequest(challenge, { peerId })))
        .then(({ headers }: RawAnswer) => {
          const { connection: _connection, upgrade: _upgrade, ...rest } = headers;
          socket.write(upgrade(rest));
        })
        .catch(() => socket.destroy());
      return undefined;
    });
    const { errors } = await openBroker(registry, {}, { acceptTimeoutMs: 200, drainTimeoutMs: 200 });
    await until(() => errors.some(({ code }) => code === "ERR_AUTHENTICATION"), { what: "the relay was found out" });
    expect(relay.bytes).toMatch(/^(GET [\s\S]*?\r\n\r\n)+$/);
    expect(heard).toEqual([]);
  });
});

test("a registry without a secret lets everybody in, and proves nothing", async () => {
  const { secret: _none, ...registry } = memory();
  const { broker } = await openBroker(registry);
  const heard: string[] = [];
  await broker.subscribe("t.x", (delivery) => void heard.push(delivery.text()));
  const { broker: other } = await openBroker(registry);
  await other.publish("t.x", { body: "hello" });
  await until(() => heard.length === 1, { what: "the message arrived" });
  const connection = await RawConnection.open(broker.address);
  onTestFinished(() => void connection.socket.destroy());
  expect((await connection.ask(wireRequest(newChallenge()))).status).toBe(403);
});

describe("of two connections between the same two processes", () => {
  test("that the same one has opened, the later stands", async () => {
    const { address, secret, survived } = await attacked();
    const peerId = randomUUID();
    const first = await WirePeer.ready(address, secret, { peerId });
    const second = await WirePeer.ready(address, secret, { peerId });
    await first.connection.closed();
    expect(await second.outcome(await second.deliver(0, { body: "fine" }))).toEqual({ kind: "ack" });
    await second.sync();
    second.connection.socket.destroy();
    await survived();
  });

  test("a process that connects to itself is told so", async () => {
    const { address, secret, survived } = await attacked();
    const probe = await WirePeer.ready(address, secret);
    const { answer } = await greeted(address);
    const own = answer.headers[HANDSHAKE_HEADERS.peer] ?? "";
    const mirror = await WirePeer.open(address, secret, { peerId: own });
    expect(await mirror.closed()).toMatchObject({ code: GOODBYE.duplicate });
    probe.connection.socket.destroy();
    await survived();
  });
});
