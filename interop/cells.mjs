// One cell of the report: messages from peers of one language to peers of the other, over one transport.
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { binaryBodies, compare, compareHeader, HEADER, METADATA, orders, texts } from "./messages.mjs";
import { brokerReceiver, brokerSender, registry, serviceReceiver, serviceSender } from "./node-peer.mjs";
import { GoPeer } from "./peers.mjs";
import { protobufCodec } from "./protobuf.mjs";
import { pause, until } from "./wait.mjs";
import { untilFound, WARM_UPS } from "./warm-up.mjs";

/** go-micro's http broker loses what comes faster than it sends: a pause after each message, in microseconds. */
const PAUSE_MICROS = { http: 2_000, https: 2_000, nats: 200, rabbitmq: 200 };

/** How long nothing may come before what lacks counts as lost, in milliseconds. */
const SILENCE_MS = 5_000;

/** How long to listen for what should not come, in milliseconds. */
const AFTER_MS = 300;

/** What the wires and go-micro's services add to the headers that a program gives. */
const ADDED = ["Content-Type", "Micro-Topic", "Micro-ID", "Micro-Id", "Micro-From-Service", "timeout"];

/** The levels at which peers talk. */
export const LEVELS = ["broker", "json", "protobuf"];

/** The columns of the report. */
export const COLUMNS = ["Go to Node, broadcast", "Go to Node, queue", "Node to Go, broadcast", "Node to Go, queue"];

/**
 * Runs one cell.
 * @returns `{ ok: true, ms }`, or `{ ok: false, reason }`
 */
export async function runCell({ column, ...given }) {
  const cell = new Cell(given);
  const startedAt = performance.now();
  try {
    const reason = await cell.run(column.startsWith("Go to Node"), column.endsWith("queue"));
    return reason === undefined ? { ok: true, ms: Math.round(performance.now() - startedAt) } : { ok: false, reason };
  } catch (error) {
    return { ok: false, reason: error.message.split("\n")[0] };
  } finally {
    await cell.end();
  }
}

class Cell {
  #given;
  #topic = `interop.${randomUUID().slice(0, 8)}`;
  #ending = [];
  /** What each receiver got: `{ header, content }`. */
  #got = [];
  /** Those of them that a warm-up has reached. */
  #warm = new Set();
  #lastAt = 0;

  constructor(given) {
    this.#given = given;
  }

  async run(goToNode, isQueue) {
    // Its own: on RabbitMQ a queue of go-micro's goes by its name alone, whatever the topic.
    const queue = isQueue ? `${this.#topic}.queue` : undefined;
    // Two of the other side; a queue has a member of the sender's side as well, which shares.
    const [theirs, ours] = goToNode ? [this.#node, this.#go] : [this.#go, this.#node];
    const receivers = [theirs, theirs, ...(isQueue ? [ours] : [])];
    for (const receive of receivers) await receive.call(this, queue);
    await this.#visible(receivers.length);
    const sent = await (goToNode ? this.#sendFromGo() : this.#sendFromNode());
    const expected = sent.length * (isQueue ? 1 : receivers.length);
    this.#lastAt = performance.now();
    await until(
      () => this.#total() >= expected || performance.now() - this.#lastAt > SILENCE_MS,
      "all arrived",
      600_000,
    );
    await pause(AFTER_MS);
    return this.#judge(sent, isQueue);
  }

  async end() {
    for (const end of this.#ending.reverse()) await end().catch(() => {});
  }

  get #isHttp() {
    return this.#given.transport.startsWith("http");
  }

  get #isService() {
    return this.#given.level !== "broker";
  }

  get #contents() {
    const { level, count } = this.#given;
    return { broker: binaryBodies, json: orders, protobuf: texts }[level](count);
  }

  async #goPeer() {
    const { path, transport, address, tls } = this.#given;
    const scheme = { nats: "nats", rabbitmq: "amqp" }[transport];
    const where = scheme === undefined ? [] : ["-address", `${scheme}://${address}`];
    const proof = tls === undefined ? [] : ["-ca", tls.caFile, "-cert", tls.certFile, "-key", tls.keyFile];
    const peer = new GoPeer(path, ["-broker", this.#isHttp ? "http" : transport, ...where, ...proof]);
    this.#ending.push(() => peer.end());
    await peer.ready;
    return peer;
  }

  #receiver() {
    const received = [];
    this.#got.push(received);
    return (header, content) => {
      this.#lastAt = performance.now();
      if (content === this.#known(WARM_UPS[this.#given.level])) this.#warm.add(received);
      else received.push({ header, content });
    };
  }

  async #go(queue) {
    const peer = await this.#goPeer();
    const take = this.#receiver();
    peer.on(({ event, header = {}, body = "" }) => event === "message" && take(header, this.#read(body)));
    const subscription = { topic: this.#topic, ...(queue === undefined ? {} : { queue }) };
    if (this.#isService) {
      await peer.do({ do: "service", name: `go.${randomUUID().slice(0, 8)}`, version: "1" });
      await peer.do({ do: "handle", type: this.#given.level, ...subscription });
      await peer.do({ do: "start" });
    } else {
      await peer.do({ do: "connect" });
      await peer.do({ do: "subscribe", ...subscription });
    }
  }

  async #node(queue) {
    const { level } = this.#given;
    const take = this.#receiver();
    if (this.#isService) {
      const codecs = level === "protobuf" ? [await protobufCodec()] : [];
      const receiver = await serviceReceiver(this.#given, this.#topic, queue, codecs, ({ header, payload }) =>
        take(header, level === "protobuf" ? payload.value : JSON.stringify(payload)),
      );
      this.#ending.push(() => receiver.end());
    } else {
      const receiver = await brokerReceiver(this.#given, this.#topic, queue, ({ header, body }) =>
        take(header, body.toString("base64")),
      );
      this.#ending.push(() => receiver.end());
    }
  }

  /** What a Go peer tells of a message, as the sender's side knows it. */
  #read(body) {
    if (!this.#isService) return body;
    const text = Buffer.from(body, "base64").toString();
    // The same JSON, without the escapes that Go's encoder likes.
    return this.#given.level === "json" ? JSON.stringify(JSON.parse(text)) : text;
  }

  /** Waits until the registry shows the receivers, or the engine has had the time to know of them. */
  async #visible(receivers) {
    if (!this.#isHttp) return pause(500);
    const mdns = registry();
    await until(async () => {
      const found = await mdns.getService(this.#given.oldWire ? "go.micro.http.broker" : "micro.http.broker");
      const nodes = found.flatMap(({ nodes }) => nodes).filter(({ metadata }) => metadata.topic === this.#topic);
      return nodes.length === receivers;
    }, "the registry showed the subscribers");
  }

  async #sendFromGo() {
    const contents = this.#contents;
    const send = await this.#goSender();
    await send(contents);
    return contents.map((one) => this.#known(one));
  }

  /** What sends from a Go peer; over HTTP from one that knows of every receiver. */
  #goSender() {
    if (!this.#isHttp) return this.#startSending().then(({ send }) => send);
    return untilFound(async () => {
      this.#warm.clear();
      const { peer, send } = await this.#startSending();
      const warmUp = (times) => send(Array.from({ length: times }, () => WARM_UPS[this.#given.level]));
      return { peer, warmUp, found: () => this.#warm.size === this.#got.length, send };
    });
  }

  async #startSending() {
    const peer = await this.#goPeer();
    const { level, transport, version } = this.#given;
    const command = { topic: this.#topic, pauseMicros: PAUSE_MICROS[transport] };
    const encoded = (all) =>
      all.map((one) => Buffer.from(level === "json" ? JSON.stringify(one) : one).toString("base64"));
    if (!this.#isService) {
      await peer.do({ do: "connect" });
      const send = (all) => peer.do({ do: "publish", ...command, header: HEADER, bodies: encoded(all) });
      return { peer, send };
    }
    await peer.do({ do: "service", name: `go.${randomUUID().slice(0, 8)}`, version: "1" });
    await peer.do({ do: "start" });
    // The standard types of the versions' clients: version 2 talks gRPC.
    const protobuf = version === "v2.9" ? "application/grpc+proto" : "application/protobuf";
    const type = level === "json" ? "application/json" : protobuf;
    const send = (all) => peer.do({ do: "send", ...command, type, header: METADATA, bodies: encoded(all) });
    return { peer, send };
  }

  async #sendFromNode() {
    const { level } = this.#given;
    const contents = this.#contents;
    if (!this.#isService) {
      const sender = await brokerSender(this.#given);
      this.#ending.push(() => sender.end());
      await sender.send(this.#topic, HEADER, contents);
      return contents.map((one) => this.#known(one));
    }
    const codec = level === "protobuf" ? await protobufCodec() : undefined;
    const sender = await serviceSender(this.#given, codec);
    this.#ending.push(() => sender.end());
    await sender.send(
      this.#topic,
      METADATA,
      level === "json" ? contents : contents.map((value) => codec.create({ value })),
    );
    return contents.map((one) => this.#known(one));
  }

  /** A content as receivers tell of it. */
  #known(content) {
    const { level } = this.#given;
    if (level === "broker") return content.toString("base64");
    return level === "json" ? JSON.stringify(content) : content;
  }

  #total() {
    return this.#got.reduce((sum, received) => sum + received.length, 0);
  }

  #judge(sent, isQueue) {
    const groups = isQueue ? [this.#got.flat()] : this.#got;
    for (const received of groups) {
      const wrong = compare(
        sent,
        received.map(({ content }) => content),
      );
      if (wrong !== undefined) return `of ${sent.length} messages ${wrong}`;
    }
    if (isQueue && this.#got.some((received) => received.length === 0)) return "a member of the queue got nothing";
    for (const { header } of this.#got.flat()) {
      const wrong = compareHeader(this.#isService ? METADATA : HEADER, header, ADDED);
      if (wrong !== undefined) return wrong;
      if (this.#isService && !isDeepStrictEqual(header["Micro-Topic"], this.#topic)) return "Micro-Topic lacks";
    }
    return undefined;
  }
}
