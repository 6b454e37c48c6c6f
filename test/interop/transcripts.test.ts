import { create } from "@bufbuild/protobuf";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { Msg } from "@nats-io/transport-node";
import type { ConsumeMessage } from "amqplib";
import packet from "dns-packet";
import { describe, expect, onTestFinished, test } from "vitest";
import { protobuf } from "../../src/codecs/protobuf.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Delivery } from "../../src/delivery.ts";
import type { Publication } from "../../src/driver.ts";
import { BROADCAST_VERSION, SERVICE_NAMES } from "../../src/drivers/http/service-names.ts";
import { memory } from "../../src/drivers/memory/index.ts";
import { goMicroCoreWire } from "../../src/drivers/nats/go-micro-core-wire.ts";
import { GO_MICRO_EXCHANGE, headerOf } from "../../src/drivers/rabbitmq/go-micro-topology.ts";
import { silentLogger } from "../../src/logger.ts";
import { copyService } from "../../src/registries/copy-service.ts";
import { local } from "../../src/registries/local/index.ts";
import {
  announcement,
  goodbye,
  listAnswer,
  nodeAnswer,
  query,
  readInstances,
  readListed,
  readPacket,
  readQuestions,
} from "../../src/registries/mdns/packets.ts";
import { NodeReader } from "../../src/registries/mdns/read-node.ts";
import { createService } from "../../src/service/create-service.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bareServer } from "../http/support/bare-server.ts";
import { openBroker, registryFolder, subscriptionNodes } from "../http/support/brokers.ts";
import { RawConnection } from "../http/support/raw.ts";
import {
  bytesOf,
  envelopeOf,
  type Given,
  type GoService,
  hasOldWire,
  type PacketKind,
  TRANSCRIPTS,
  type Transcript,
} from "./transcripts.ts";

/** Headers that go-micro makes up for each message of a service. */
const MADE_UP = new Set(["Micro-ID", "Micro-Id", "Micro-From-Service"]);

/** Enough room for any message here, in bytes. */
const ROOM = 1_000_000;

/** What arrives of a message: the header that was given, and what go-micro adds to it, but for what is made up. */
function expectedHeader({ level, topic, type, header }: Given, topicAdded: boolean): Record<string, string> {
  const added: Record<string, string> = {};
  if (topicAdded || level !== "broker") added["Micro-Topic"] = topic;
  if (type !== undefined) added["Content-Type"] = type;
  return { ...header, ...added };
}

function withoutMadeUp(header: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => !MADE_UP.has(name)));
}

/** Checks a body against what the program handed over; of a service it is the content as the type has it. */
function expectBody({ level, content }: Given, body: Uint8Array): void {
  const text = bytesOf(content).toString();
  if (level === "json") expect(JSON.parse(Buffer.from(body).toString())).toEqual(JSON.parse(text));
  else if (level === "protobuf") expect((protobuf(StringValueSchema).decode(body) as StringValue).value).toBe(text);
  else expect(Buffer.from(body)).toEqual(bytesOf(content));
}

/** The header and body of every message of services, from every transport. */
function serviceMessages({ http, nats, rabbitmq = [] }: Transcript) {
  return [
    ...http.map(({ given, sent }) => ({ given, ...envelopeOf(sent.body) })),
    ...nats.map(({ given, sent }) => ({ given, ...envelopeOf(sent.payload) })),
    ...rabbitmq.map(({ given, sent }) => ({ given, header: sent.headers, body: bytesOf(sent.body) })),
  ].filter(({ given }) => given.level !== "broker");
}

/** A service as we have it: empty where Go says null. */
function ours(service: GoService) {
  return copyService({ ...service, metadata: {}, endpoints: service.endpoints ?? [] });
}

test("there are transcripts of version 4 and 2 with every transport, and none names a machine", () => {
  const complete = TRANSCRIPTS.filter(({ rabbitmq }) => rabbitmq !== undefined);
  expect(complete.map(({ goMicro }) => goMicro.split(".")[0]).sort()).toEqual(["v2", "v4"]);
  for (const { mdns } of TRANSCRIPTS)
    for (const bytes of Object.values(mdns.packets).map(bytesOf))
      for (const record of packet.decode(bytes).answers ?? []) {
        if (record.type === "A") expect(["127.0.0.1", "0.0.0.0"]).toContain(record.data);
        if (record.type === "SRV") expect(record.data.target).toBe("localhost");
      }
});

describe.each(TRANSCRIPTS.map((one) => [one.goMicro, one] as const))(
  "what go-micro %s sent",
  (_version, transcript) => {
    const oldWire = hasOldWire(transcript);
    const name = oldWire ? SERVICE_NAMES.oldGoMicro : SERVICE_NAMES.goMicro;

    test("over HTTP arrives", async () => {
      const folder = await registryFolder();
      const registry = local({ folder });
      const { broker } = await openBroker(folder, { wire: "go-micro", oldWire });
      for (const { given, sent } of transcript.http) {
        const received: Delivery[] = [];
        await broker.subscribe(given.topic, (delivery) => void received.push(delivery));
        const node = await until(
          async () =>
            (await subscriptionNodes(registry, name)).find(({ metadata }) => metadata["topic"] === given.topic),
          { what: "the subscription is registered" },
        );
        const connection = await RawConnection.open(node.address);
        const headers = sent.headers.map(([one, value]) => `${one}: ${one === "Host" ? node.address : value}\r\n`);
        const head = `${sent.requestLine.replace(/id=\S+/, `id=${node.id}`)}\r\n${headers.join("")}\r\n`;
        connection.write(Buffer.concat([Buffer.from(head), bytesOf(sent.body)]));
        expect(await connection.answer()).toMatchObject({ status: 200, body: "" });
        const [delivery] = await until(() => (received.length > 0 ? received : undefined), { what: "it arrived" });
        expect(withoutMadeUp(delivery?.message.header ?? {})).toEqual(expectedHeader(given, !oldWire));
        expectBody(given, delivery?.message.body ?? new Uint8Array());
      }
    });

    test("over HTTP is what we send", async () => {
      const folder = await registryFolder();
      const registry = local({ folder });
      const server = await bareServer();
      for (const { given } of transcript.http)
        await registry.register({
          name,
          version: BROADCAST_VERSION,
          metadata: {},
          endpoints: [],
          nodes: [
            {
              id: `${given.topic}-a&b`,
              address: server.address,
              metadata: { broker: "http", secure: "false", topic: given.topic },
            },
          ],
        });
      const { broker } = await openBroker(folder, { wire: "go-micro", oldWire });
      for (const { given, sent } of transcript.http) {
        // What the service made up of the content is given as it was; the wire's own header is ours to add.
        const { header, body } = envelopeOf(sent.body);
        const { [oldWire ? ":topic" : "Micro-Topic"]: _topic, ...rest } = header;
        await broker.publish(given.topic, { header: given.level === "broker" ? given.header : rest, body });
        const { head, body: written } = server.requests.at(-1) ?? { head: "", body: "" };
        const [requestLine, ...lines] = head.split("\r\n");
        expect(requestLine).toBe(sent.requestLine);
        expect(Buffer.from(written)).toEqual(bytesOf(sent.body));
        for (const [one, value] of sent.headers.filter(([one]) => one.startsWith("Content-")))
          expect(lines).toContain(`${one}: ${value}`);
      }
      expect(server.requests).toHaveLength(transcript.http.length);
    });

    test("over NATS is read, and is what we send", () => {
      for (const { given, sent } of transcript.nats) {
        const read = goMicroCoreWire.decode({ data: bytesOf(sent.payload) } as unknown as Msg, sent.subject);
        expect(read.broken).toBeUndefined();
        expect(withoutMadeUp(read.header)).toEqual(expectedHeader(given, false));
        expectBody(given, read.body);
        expect(goMicroCoreWire.topic(sent.subject, given.topic)).toBe(given.topic);
        expect(goMicroCoreWire.subject(given.topic, false)).toBe(sent.subject);
        const header = given.level === "broker" ? given.header : read.header;
        const written = goMicroCoreWire.encode({ header, body: read.body } as Publication, ROOM);
        expect(written).toEqual({
          payload: bytesOf(sent.payload).toString(),
          headers: sent.headers ?? undefined,
          bytesBeyond: undefined,
        });
      }
    });

    const { rabbitmq = [] } = transcript;
    test.each(rabbitmq.map((one) => [one.given.topic, one] as const))(
      "over RabbitMQ is read: %s",
      (_topic, { given, sent }) => {
        expect([sent.exchange, sent.routingKey]).toEqual([GO_MICRO_EXCHANGE, given.topic]);
        const read = headerOf({ properties: { headers: sent.headers } } as unknown as ConsumeMessage);
        expect(withoutMadeUp({ ...read })).toEqual(expectedHeader(given, false));
        expectBody(given, bytesOf(sent.body));
      },
    );

    const services = serviceMessages(transcript);
    // Services of version 1.18 end at once under today's Go: it has none to show.
    if (services.length > 0)
      test("by its services reaches a handler, and is what a service of ours sends", async () => {
        const broker = createBroker(memory(), { logger: silentLogger });
        const service = createService({ name: "transcripts", broker });
        onTestFinished(() => service.stop());
        const codec = protobuf(StringValueSchema);
        const handled = new Map<string, { payload: unknown; header: Record<string, string> }>();
        const topics = new Set(services.map(({ given }) => given.topic));
        for (const topic of topics)
          service.subscribe(
            topic,
            (payload, { header }) => void handled.set(topic, { payload, header: { ...header } }),
            { codecs: [codec] },
          );
        await service.start();
        for (const { given, header, body } of services) {
          handled.clear();
          await broker.publish(given.topic, { header, body });
          const theirs = await until(() => handled.get(given.topic), { what: `${given.topic} was handled` });
          const text = bytesOf(given.content).toString();
          const payload = given.level === "json" ? JSON.parse(text) : create(StringValueSchema, { value: text });
          expect(theirs.payload).toEqual(payload);
          expect(theirs.header).toMatchObject(given.header);
          const sent: Delivery[] = [];
          const tap = await broker.subscribe(given.topic, (delivery) => void sent.push(delivery));
          const typed =
            given.level === "json" ? {} : { codec: protobuf(StringValueSchema, { contentType: given.type ?? "" }) };
          await service.publisher(given.topic, typed).publish(payload, { header: given.header });
          const [mine] = await until(() => (sent.length > 0 ? sent : undefined), { what: "ours was sent" });
          await tap.unsubscribe();
          expect(withoutMadeUp(mine?.message.header ?? {})).toEqual(withoutMadeUp(header));
          expectBody(given, mine?.message.body ?? new Uint8Array());
          // Go's JSON escapes more than ours, and one version ends it with a new line: what it says is the same.
          if (given.level === "protobuf") expect(Buffer.from(mine?.message.body ?? [])).toEqual(Buffer.from(body));
        }
      });

    describe("by multicast DNS", () => {
      const bytes = (kind: PacketKind) => bytesOf(transcript.mdns.packets[kind]);
      const read = (kind: PacketKind) => readPacket(bytes(kind)) ?? expect.unreachable(`${kind} is malformed`);
      const instance = (kind: PacketKind) =>
        readInstances(read(kind), "micro")[0] ?? expect.unreachable(`${kind} is empty`);
      const { service, subscriber } = transcript.mdns;

      test.each<[PacketKind, GoService, boolean]>([
        ["announcement", service, false],
        ["answer", service, false],
        ["goodbye", service, true],
        ["subscription", subscriber, false],
      ])("its %s is read as go-micro reads it", (kind, expected, isGoodbye) => {
        expect(readInstances(read(kind), "micro")).toHaveLength(1);
        expect(instance(kind).goodbye).toBe(isGoodbye);
        expect(new NodeReader("micro").read(instance(kind), true)).toEqual(ours(expected));
        // The address is a loopback address: of another host it would mean another machine.
        expect(new NodeReader("micro").read(instance(kind), false)).toBeUndefined();
      });

      test("its list is read, and its probe tells of nothing", () => {
        expect(readListed(read("listAnswer"), "micro")).toEqual([service.name]);
        expect(readInstances(read("listAnswer"), "micro").map(({ text }) => Buffer.concat([...text]).length)).toEqual([
          0,
        ]);
        expect(readInstances(read("probe"), "micro")).toEqual([]);
      });

      test("its questions are understood, and ours are the same to the byte", () => {
        for (const [kind, asked] of [
          ["query", `${service.name}.micro`],
          ["listQuery", "_services.micro"],
        ] as const) {
          expect(readQuestions(read(kind), "micro", 16)).toEqual([
            { question: { name: asked, type: "PTR", class: "IN" }, id: 0 },
          ]);
          expect(query(asked, read(kind).id ?? 0)).toEqual(bytes(kind));
        }
      });

      test("its announcement and goodbye are ours to the byte, and its answers ours but for their compression", () => {
        expect(announcement(instance("announcement"))).toEqual(bytes("announcement"));
        expect(goodbye(instance("goodbye"))).toEqual(bytes("goodbye"));
        const [asked] = readQuestions(read("query"), "micro", 16);
        const [list] = readQuestions(read("listQuery"), "micro", 16);
        if (asked === undefined || list === undefined) expect.unreachable("there is a question");
        // Version 1.18 does not echo the question, which later versions insist on.
        const echo = (sent: object) => (oldWire ? { ...sent, questions: [] } : sent);
        const answered = nodeAnswer(asked, service.name, "micro", instance("answer"));
        expect(echo(packet.decode(answered))).toEqual(read("answer"));
        expect(echo(packet.decode(listAnswer(list, service.name, "micro", "localhost")))).toEqual(read("listAnswer"));
      });
    });
  },
);
