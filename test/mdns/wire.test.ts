import { randomUUID } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import packet, { type DecodedPacket } from "dns-packet";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { type MdnsOptions, mdns } from "../../src/registries/mdns/index.ts";
import { listName } from "../../src/registries/mdns/names.ts";
import { announcement, goodbye, listAnswer, nodeAnswer, query } from "../../src/registries/mdns/packets.ts";
import { encodeText } from "../../src/registries/mdns/txt.ts";
import type { Service } from "../../src/registry.ts";
import { pause, until } from "../../src/testing/conformance/until.ts";
import { collect, expectRefusal, ids, node, service } from "../unit/registries/helpers.ts";

const GROUP = "224.0.0.251";
const PORT = 5353;

/** How many malformed packets are sent. */
const FUZZED = 10_000;

/** A registry by loopback, in a domain of its own: nothing leaves this host, and nobody else hears it. */
function open(options: MdnsOptions = {}) {
  const domain = `tidings-${randomUUID()}`;
  return { domain, registry: mdns({ interfaces: ["127.0.0.1"], domain, lookupMs: 100, ...options }) };
}

/** A peer that is no registry: it sends what a test wants, and keeps what it hears on its own port. */
async function barePeer() {
  const socket: Socket = createSocket({ type: "udp4", reuseAddr: true });
  onTestFinished(() => {
    socket.close();
  });
  const heard: DecodedPacket[] = [];
  socket.on("message", (bytes) => heard.push(packet.decode(bytes)));
  await new Promise<void>((resolve) => socket.bind({ port: 0, exclusive: true }, resolve));
  socket.setMulticastInterface("127.0.0.1");
  const send = (bytes: Buffer) =>
    new Promise<void>((resolve, reject) =>
      socket.send(bytes, PORT, GROUP, (error) => (error ? reject(error) : resolve())),
    );
  return { heard, send };
}

/** A node of "orders" as a packet tells it. */
function instance(id: string, domain: string, changes: Partial<Service> = {}) {
  const record = service("orders", [id], changes);
  const text = encodeText(record, node(id), { id: undefined, address: undefined });
  return { name: `${id}.orders.${domain}`, host: "somewhere", ip: "127.0.0.1", port: 7_000, text };
}

describe("answers", () => {
  test("come one packet a node, with the question in each, to the port that asked", async () => {
    const { registry, domain } = open();
    await registry.register(service("orders", ["a", "b"]));
    await registry.register(service("invoices", ["c"]));
    const peer = await barePeer();
    await peer.send(query(`orders.${domain}`, 77));
    await until(() => peer.heard.length >= 2, { what: "two answers came" });
    for (const one of peer.heard) {
      expect(one).toMatchObject({ id: 0, flag_aa: true, type: "response" });
      expect(one.questions).toEqual([{ name: `orders.${domain}`, type: "PTR", class: "IN" }]);
      expect(one.answers?.map(({ type }) => type)).toEqual(["PTR", "SRV", "A", "TXT"]);
    }
    const pointers = peer.heard.map(({ answers = [] }) => (answers[0] as { data: string }).data);
    expect(pointers.sort()).toEqual([`a.orders.${domain}`, `b.orders.${domain}`]);
  });

  test("are given to nobody who asks for something else", async () => {
    const { registry, domain } = open();
    await registry.register(service("orders", ["a"]));
    const peer = await barePeer();
    const ask = (name: string, type = "PTR") =>
      packet.encode({ type: "query", questions: [{ name, type: type as "PTR" }] });
    for (const bytes of [
      ask("orders.local"),
      ask("orders.micro"),
      ask("_services._dns-sd._udp.local", "ANY"),
      ask("local", "ANY"),
      ask(domain, "ANY"),
      ask(`invoices.${domain}`),
      ask(`ORDERS.${domain}`),
      ask(`orders.${domain}`, "TXT"),
      ask(`a.orders.${domain}`, "PTR"),
      ask(`b.orders.${domain}`, "SRV"),
      announcement(instance("z", "local")),
    ])
      await peer.send(bytes);
    await peer.send(ask(`a.orders.${domain}`, "SRV"));
    await until(() => peer.heard.length > 0, { what: "the one good question was answered" });
    expect(peer.heard.map(({ questions }) => questions)).toEqual([
      [{ name: `a.orders.${domain}`, type: "SRV", class: "IN" }],
    ]);
    expect(await ids(registry, "orders")).toEqual(["a"]);
  });

  test("are believed of several nodes in a packet, of additional records, and without a pointer", async () => {
    const { registry, domain } = open({ lookupMs: 400 });
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    onTestFinished(() => {
      socket.close();
    });
    socket.on("message", (bytes, from) => {
      const asked = packet.decode(bytes);
      if (asked.type !== "query" || asked.questions?.[0]?.name !== `orders.${domain}`) return;
      const records = ["a", "b"].flatMap((id) => packet.decode(announcement(instance(id, domain))).answers ?? []);
      const both = packet.encode({ type: "response", answers: records });
      const extra = packet.decode(announcement(instance("c", domain))).answers ?? [];
      const additional = packet.encode({
        type: "response",
        answers: [{ type: "PTR", name: `orders.${domain}`, data: `c.orders.${domain}` }],
        additionals: extra.reverse(),
      });
      for (const reply of [both, additional]) socket.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind({ port: PORT, exclusive: true }, resolve));
    socket.addMembership(GROUP, "127.0.0.1");
    expect(await ids(registry, "orders")).toEqual(["a", "b", "c"]);
  });
});

describe("announcements", () => {
  test("of others are heard at once, and so are their goodbyes", async () => {
    const { registry, domain } = open();
    const heard = await collect(registry);
    const peer = await barePeer();
    const sentAt = performance.now();
    for (let n = 0; n < 3; n += 1) await peer.send(announcement(instance("a", domain)));
    await until(() => heard.length > 0, { what: "the announcement was heard" });
    expect(performance.now() - sentAt).toBeLessThan(1_000);
    await peer.send(goodbye(instance("a", domain)));
    await until(() => heard.length > 1, { what: "the goodbye was heard" });
    expect(heard).toEqual(["create orders@1 a", "delete orders@1 a"]);
  });

  test("a node that is killed is gone once it has not answered for a while", async () => {
    // Long beside a look-up: who lives must not miss as many sweeps as who was killed.
    const { registry, domain } = open({ sweepMs: 1_000 });
    const other = mdns({ interfaces: ["127.0.0.1"], domain, lookupMs: 100 });
    await other.register(service("orders", ["b"]));
    const heard = await collect(registry);
    const peer = await barePeer();
    await peer.send(announcement(instance("a", domain)));
    await until(() => heard.includes("delete orders@1 a"), { what: "it was missed" });
    expect(heard).toEqual(["create orders@1 a", "delete orders@1 a"]);
    expect(await ids(registry, "orders")).toEqual(["b"]);
    await other.deregister(service("orders", ["b"]));
  });

  test("a node that left while it was asked for is not found", async () => {
    const { registry, domain } = open({ lookupMs: 300 });
    const heard = await collect(registry);
    const peer = await barePeer();
    await peer.send(announcement(instance("a", domain)));
    await until(() => heard.length === 1, { what: "it was there" });
    const asking = ids(registry, "orders");
    await peer.send(goodbye(instance("a", domain)));
    expect(await asking).toEqual([]);
    expect(heard).toEqual(["create orders@1 a", "delete orders@1 a"]);
  });
});

describe("a watch that is closed and opened again while the registry asks around", () => {
  /** Counts how often it is asked, in this domain, who there is; names a service to the next who asks, if it is told to. */
  async function listener(domain: string) {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    onTestFinished(() => {
      socket.close();
    });
    const heard = { asked: 0, answers: false };
    const question = { type: "PTR", name: listName(domain) } as const;
    socket.on("message", (bytes, from) => {
      if (packet.decode(bytes).questions?.[0]?.name !== question.name) return;
      heard.asked += 1;
      if (heard.answers) socket.send(listAnswer({ question, id: 0 }, "orders", domain, "h"), from.port, from.address);
      heard.answers = false;
    });
    await new Promise<void>((resolve) => socket.bind({ port: PORT, exclusive: true }, resolve));
    socket.addMembership(GROUP, "127.0.0.1");
    return heard;
  }

  test("asks no more often than one that stayed open", async () => {
    const options = { lookupMs: 200, sweepMs: 200 };
    const [usual, again] = [open(options), open(options)];
    const [usually, now] = [await listener(usual.domain), await listener(again.domain)];
    let watcher = await again.registry.watch(() => {});
    for (let times = 0; times < 6; times += 1) {
      // It goes on to ask what there is of that service, and so ends after the next who asks.
      now.answers = true;
      await until(() => !now.answers, { what: "it asked around" });
      await pause(50);
      watcher.close();
      watcher = await again.registry.watch(() => {});
    }
    const other = await usual.registry.watch(() => {});
    const [since, usuallySince] = [now.asked, usually.asked];
    await until(() => usually.asked - usuallySince >= 10, { what: "the other asked ten times" });
    expect(now.asked - since).toBeLessThan(15);
    watcher.close();
    other.close();
  });
});

describe("registering", () => {
  test("takes ids, addresses and metadata that DNS cannot hold", async () => {
    const { registry, domain } = open();
    const other = mdns({ interfaces: ["127.0.0.1"], domain, lookupMs: 100 });
    const odd = ["x".repeat(200), "a..b", 't.x-\ud83d\ude00 @();"\\', "line\nbreak", `${"long.".repeat(60)}id`];
    const record: Service = {
      ...service("orders", [], { metadata: { team: "sales" }, version: "queue \u0000 ü" }),
      nodes: odd.map((id, index) => ({
        id,
        address: ["", "no-such-host.invalid:80", "[::1]:7000", "127.0.0.1:1", "x"][index] ?? "",
        metadata: { topic: `${"t".repeat(190)}.${index}` },
      })),
    };
    await registry.register(record);
    const [found, ...none] = await other.getService("orders");
    expect(none).toEqual([]);
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    expect({ ...found, nodes: [...(found?.nodes ?? [])].sort(byId) }).toEqual({
      ...record,
      nodes: [...record.nodes].sort(byId),
    });
    await registry.deregister(record);
    expect(await other.getService("orders")).toEqual([]);
  });

  test("refuses names that DNS cannot hold, and says why", async () => {
    const { registry } = open();
    for (const name of ["x".repeat(64), "a..b", "_services"])
      await expectRefusal(registry.register(service(name, ["a"])), /mDNS cannot announce a service named/);
    expect(await registry.listServices()).toEqual([]);
  });

  test.each([{ interfaces: ["eth0"] }, { domain: "a..b" }, { lookupMs: 0 }, { port: 1 }])(
    "refuses the options %j",
    (options) => {
      expect(() => mdns(options as MdnsOptions)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
    },
  );

  test("without an interface fails with an error that may be tried again", async () => {
    // An address that documentation is written with: no host has it.
    const registry = mdns({ interfaces: ["192.0.2.1"] });
    await expect(registry.getService("orders")).rejects.toMatchObject({ code: "ERR_REGISTRY", retryable: true });
  });
});

describe("malformed packets", () => {
  const domain = `tidings-${randomUUID()}`;
  const good = announcement(instance("evil", domain));
  const textAt = good.indexOf("789c");
  // Without the digits before the checksum, which may be padding that means nothing, and those of the checksum itself.
  const digits = good.length - textAt - 10;
  const changedText = fc.tuple(fc.nat(digits - 1), fc.integer({ min: 0, max: 255 })).map(([at, byte]) => {
    const bytes = Buffer.from(good);
    const was = bytes[textAt + at] ?? 0;
    // Another digit, or none at all; never the same one in the other case.
    bytes[textAt + at] = (byte | 0x20) === (was | 0x20) ? 0x7a : byte;
    return bytes;
  });
  const cut = fc.integer({ min: 0, max: good.length - 1 }).map((length) => good.subarray(0, length));
  const counts = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((numbers) => {
    const bytes = Buffer.from(good);
    // The numbers of records: never the true ones.
    bytes.set(numbers, 4);
    bytes.writeUInt16BE(1_000 + (numbers[0] ?? 0), 6);
    return bytes;
  });
  const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
  const answers = fc
    .constantFrom(
      listAnswer({ question: { type: "PTR", name: `_services.${domain}` }, id: 0 }, "orders", "other", "h"),
      nodeAnswer(
        { question: { type: "PTR", name: `orders.${domain}` }, id: 0 },
        "orders",
        "local",
        instance("x", "local"),
      ),
    )
    .chain((bytes) => fc.integer({ min: 0, max: bytes.length }).map((length) => bytes.subarray(0, length)));

  test(`${FUZZED} of them neither crash nor register anything`, async () => {
    const registry = mdns({ interfaces: ["127.0.0.1"], domain, lookupMs: 100 });
    const heard = await collect(registry);
    await registry.register(service("orders", ["a"]));
    const peer = await barePeer();
    const packets = fc.sample(fc.oneof(changedText, cut, counts, noise, answers), FUZZED);
    for (const [index, bytes] of packets.entries()) {
      await peer.send(bytes);
      if (index % 20 !== 19) continue;
      // It keeps up, and so do the other tests' registries: nothing is lost for want of room.
      peer.heard.length = 0;
      await peer.send(query(`orders.${domain}`, 0));
      await until(() => peer.heard.length > 0, { what: "it still answers", detail: () => String(index) });
    }
    expect(heard).toEqual(["create orders@1 a"]);
    expect(await registry.listServices()).toEqual([service("orders", ["a"])]);
    await registry.deregister(service("orders", ["a"]));
  }, 120_000);
});
