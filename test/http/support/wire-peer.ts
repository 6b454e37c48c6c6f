import { randomUUID } from "node:crypto";
import { ByteReader } from "../../../src/drivers/http/wire/byte-reader.ts";
import { FrameReader } from "../../../src/drivers/http/wire/frame-reader.ts";
import { FrameWriter } from "../../../src/drivers/http/wire/frame-writer.ts";
import { FRAME } from "../../../src/drivers/http/wire/frames.ts";
import {
  HANDSHAKE_HEADERS,
  type Handshake,
  newChallenge,
  proofOf,
  WIRE_PATH,
  WIRE_PROTOCOL,
  writeTerms,
} from "../../../src/drivers/http/wire/handshake.ts";
import { eachListed } from "../../../src/drivers/http/wire/number-list.ts";
import { readSettled, type Settled } from "../../../src/drivers/http/wire/outcome-frame.ts";
import { type Announcement, readAnnouncement } from "../../../src/drivers/http/wire/subscribe-frame.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { type RawAnswer, RawConnection, type RawRequest } from "./raw.ts";

/** Where a hand-made peer says that it listens: nobody does, so that nobody dials it with success. */
const NOWHERE = "127.0.0.1:1";

/** What a hand-made peer says in its handshake; the defaults are right. */
export interface WirePeerOptions {
  readonly peerId?: string;
  /** The largest message that it says it takes, in bytes. */
  readonly maxMessageBytes?: number;
  readonly idleMs?: number;
}

/** The request that asks for the wire. */
export function wireRequest(challenge: string | undefined, options: WirePeerOptions = {}): RawRequest {
  const { peerId = randomUUID(), maxMessageBytes = 1_000_000, idleMs = 60_000 } = options;
  return {
    method: "GET",
    path: WIRE_PATH,
    headers: {
      Connection: "Upgrade",
      Upgrade: WIRE_PROTOCOL,
      [HANDSHAKE_HEADERS.versions]: "1",
      ...writeTerms({ peerId, address: NOWHERE, maxMessageBytes, idleMs }),
      ...(challenge === undefined ? {} : { [HANDSHAKE_HEADERS.challenge]: challenge }),
    },
  };
}

/** What both sides know after the server's answer. */
export function handshakeOf(address: string, challenge: string, peerId: string, { headers }: RawAnswer): Handshake {
  return {
    address,
    versions: "1",
    version: "1",
    clientPeer: peerId,
    serverPeer: headers[HANDSHAKE_HEADERS.peer] ?? "",
    clientChallenge: challenge,
    serverChallenge: headers[HANDSHAKE_HEADERS.challenge] ?? "",
  };
}

/** The bytes of frames. */
export function frames(write: (writer: FrameWriter) => void): Buffer {
  const writer = new FrameWriter();
  write(writer);
  return Buffer.concat(writer.peek());
}

/** The bytes of one frame with any payload. */
export function frame(type: number, ...payload: readonly (number | Uint8Array | string)[]): Buffer {
  const bytes = Buffer.concat(
    payload.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part as Uint8Array))),
  );
  const head = Buffer.alloc(5);
  head.writeUInt32LE(bytes.length + 1);
  head[4] = type;
  return Buffer.concat([head, bytes]);
}

/** A frame that came. */
interface Came {
  readonly type: number;
  readonly reader: ByteReader;
}

/** A message that a hand-made peer sends. */
export interface SentMessage {
  readonly topic?: string;
  readonly id?: string;
  readonly key?: string;
  readonly body?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly attempt?: number;
  readonly firstFailureAt?: number;
}

/** A peer made by hand: it shakes hands as it should, and then says exactly what a test tells it to. */
export class WirePeer {
  readonly connection: RawConnection;
  readonly peerId: string;
  /** What came and was not asked for yet, in order. */
  readonly came: Came[] = [];
  /** The subscriptions that the other side told of. */
  readonly subscriptions: Announcement[] = [];
  /** The numbers of the messages that the other side says it has received, done, and holds. */
  received = 0;
  readonly done: number[] = [];
  readonly holding: number[] = [];
  readonly settled: Settled[] = [];
  granted = 0;
  isReady = false;
  /** Whether it answers pings, as a peer should. */
  answersPings = true;
  /** What the other side said when it left. */
  goodbye: { code: number; text: string } | undefined;
  readonly #writer = new FrameWriter();
  readonly #reader: FrameReader;
  #consumed = 0;
  #last: number;

  private constructor(connection: RawConnection, peerId: string, lastNumber: number) {
    this.connection = connection;
    this.peerId = peerId;
    this.#last = lastNumber;
    this.#reader = new FrameReader(100_000_000, (type, bytes, at, end) => {
      const own = Buffer.from(bytes.subarray(at, end));
      this.#hear(type, new ByteReader().over(own, 0, own.length));
    });
    connection.socket.on("data", () => this.#read());
  }

  /** Opens a connection and proves the secret. `lastNumber`: of the message that it sent last, on another connection. */
  static async open(
    address: string,
    secret: Uint8Array,
    options: WirePeerOptions & { lastNumber?: number } = {},
  ): Promise<WirePeer> {
    const peerId = options.peerId ?? randomUUID();
    const connection = await RawConnection.open(address);
    const challenge = newChallenge();
    const answer = await connection.ask(wireRequest(challenge, { ...options, peerId }));
    if (answer.status !== 101) throw new Error(`it answered with ${answer.status}: ${answer.body}`);
    const peer = new WirePeer(connection, peerId, options.lastNumber ?? 0);
    peer.#consumed = 0;
    connection.write(frame(FRAME.proof, proofOf(secret, "client", handshakeOf(address, challenge, peerId, answer))));
    peer.#read();
    return peer;
  }

  /** The same, up to where messages can be sent: the other side has told everything, and so has this. */
  static async ready(
    address: string,
    secret: Uint8Array,
    options: WirePeerOptions & { lastNumber?: number } = {},
  ): Promise<WirePeer> {
    const peer = await WirePeer.open(address, secret, options);
    await until(() => peer.isReady, { what: "the other side had told everything", detail: () => peer.describe() });
    peer.send((writer) => writer.numbers(FRAME.ready));
    return peer;
  }

  send(write: (writer: FrameWriter) => void): void {
    write(this.#writer);
    this.connection.write(Buffer.concat(this.#writer.peek()));
    this.#writer.reuse(true);
  }

  /** Asks for places, waits for at least one, and sends a message; returns its number. */
  async deliver(subscription: number, message: SentMessage = {}): Promise<number> {
    if (this.granted === 0) this.send((writer) => writer.numbers(FRAME.want, subscription));
    await until(() => this.granted > 0, { what: "a place was granted", detail: () => this.describe() });
    return this.deliverNow(subscription, message);
  }

  /** Sends a message, whether or not there is a place for it; returns its number. */
  deliverNow(subscription: number, message: SentMessage = {}): number {
    this.granted -= 1;
    this.#last += 1;
    const number = this.#last;
    const { topic = "t.x", id = randomUUID(), key, body = "", header = {}, attempt = 1, firstFailureAt } = message;
    const bytes = Buffer.from(body);
    let size = bytes.length;
    for (const [name, value] of Object.entries(header)) size += Buffer.byteLength(name) + Buffer.byteLength(value);
    this.send((writer) =>
      writer.message(
        number,
        subscription,
        { topic, id, key, header, body: bytes, bytes: size },
        attempt,
        firstFailureAt,
      ),
    );
    return number;
  }

  /** Resolves when the other side has read everything that was sent before. */
  async sync(): Promise<void> {
    const before = this.came.filter(({ type }) => type === FRAME.pong).length;
    this.send((writer) => writer.numbers(FRAME.ping, 1));
    await until(() => this.came.filter(({ type }) => type === FRAME.pong).length > before, {
      what: "the other side answered",
      detail: () => this.describe(),
    });
  }

  /** What became of a message. */
  async outcome(number: number): Promise<Settled["outcome"]> {
    return until(
      () => {
        if (this.done.includes(number)) return { kind: "ack" as const };
        return this.settled.find((one) => one.number === number)?.outcome;
      },
      { what: `message ${number} was settled`, detail: () => this.describe() },
    );
  }

  /** The first frame of a type that came. */
  async frame(type: number): Promise<ByteReader> {
    const { reader } = await until(() => this.came.find((one) => one.type === type), {
      what: `a frame of type ${type} came`,
      detail: () => this.describe(),
    });
    return reader;
  }

  /** Waits until the other side has ended the connection; returns what it said. */
  async closed(): Promise<{ code: number; text: string } | undefined> {
    await this.connection.closed();
    this.#read();
    return this.goodbye;
  }

  describe(): string {
    const { received, done, granted, isReady, goodbye } = this;
    const state = { received, done, granted, isReady, goodbye, ended: this.connection.ended };
    return `${JSON.stringify(state)}, frames ${this.came.map(({ type }) => type.toString(16)).join(" ")}`;
  }

  #read(): void {
    const { unread } = this.connection;
    const fresh = Buffer.from(unread.subarray(this.#consumed));
    this.#consumed = unread.length;
    this.#reader.push(fresh);
  }

  #hear(type: number, reader: ByteReader): void {
    if (type === FRAME.subscribe) this.subscriptions.push(readAnnouncement(reader));
    else if (type === FRAME.ready) this.isReady = true;
    else if (type === FRAME.received) this.received = reader.number();
    else if (type === FRAME.holding) eachListed(reader, (number) => this.holding.push(number));
    else if (type === FRAME.done || type === FRAME.doneKept) {
      eachListed(reader, (number) => {
        this.done.push(number);
        if (type === FRAME.done) this.granted += 1;
      });
    } else if (type === FRAME.settled) {
      const settled = readSettled(reader);
      this.settled.push(settled);
      if (settled.returned) this.granted += 1;
    } else if (type === FRAME.grant) {
      reader.number();
      this.granted += reader.number();
    } else if (type === FRAME.goodbye) this.goodbye = { code: reader.byte(), text: reader.restText() };
    else {
      this.came.push({ type, reader });
      if (type !== FRAME.ping || !this.answersPings) return;
      const token = reader.number();
      this.send((writer) => writer.numbers(FRAME.pong, token));
    }
  }
}
