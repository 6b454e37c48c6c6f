import { readEnvelope } from "../../src/codecs/go-micro-envelope.ts";
import type { Header } from "../../src/message.ts";
import { filesUnder, textOf } from "../house/tree.ts";

/** What a go-micro peer was asked to send. */
export interface Given {
  readonly level: "broker" | "json" | "protobuf";
  readonly topic: string;
  /** The content type that a service was asked to send. */
  readonly type?: string;
  readonly header: Readonly<Record<string, string>>;
  /** What the program handed over, as base64: a body, an order as JSON, or the text of protobuf's StringValue. */
  readonly content: string;
}

/** One message: what was asked for, and what went out. */
interface Sent<Wire> {
  readonly given: Given;
  readonly sent: Wire;
}

/** A request of the HTTP broker; the body is base64. */
interface HttpSent {
  readonly requestLine: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** A message on core NATS; the payload is base64. */
interface NatsSent {
  readonly subject: string;
  readonly reply: null;
  readonly headers: null;
  readonly payload: string;
}

/** A message on RabbitMQ; the body is base64. */
interface RabbitmqSent {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: object;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A service as go-micro's own registry read it; Go writes null for what is empty. */
export interface GoService {
  readonly name: string;
  readonly version: string;
  readonly metadata: null;
  readonly endpoints: readonly object[] | null;
  readonly nodes: readonly { readonly id: string; readonly address: string; readonly metadata: object }[];
}

/** The kinds of mDNS packets that are kept. */
export type PacketKind =
  | "probe"
  | "announcement"
  | "goodbye"
  | "query"
  | "answer"
  | "listQuery"
  | "listAnswer"
  | "subscription";

/** What one version of go-micro really sent, as `npm run test:interop -- --record` wrote it down. */
export interface Transcript {
  readonly goMicro: string;
  readonly mdns: {
    /** The service of every packet but `subscription`, which tells of `subscriber`. */
    readonly service: GoService;
    readonly subscriber: GoService;
    readonly packets: Readonly<Record<PacketKind, string>>;
  };
  readonly http: readonly Sent<HttpSent>[];
  readonly nats: readonly Sent<NatsSent>[];
  /** Not of version 1.18, whose broker for it is not tried. */
  readonly rabbitmq?: readonly Sent<RabbitmqSent>[];
}

/** Every transcript that is kept. */
export const TRANSCRIPTS: readonly Transcript[] = filesUnder("test/fixtures/go-micro", ".json").map(
  (path) => JSON.parse(textOf(path)) as Transcript,
);

/** The bytes of a text in base64. */
export function bytesOf(base64: string): Buffer {
  return Buffer.from(base64, "base64");
}

/** Whether a version has the older wire of the HTTP broker. */
export function hasOldWire({ goMicro }: Transcript): boolean {
  return goMicro.startsWith("v1.");
}

/** What an envelope in base64 holds. */
export function envelopeOf(base64: string): { readonly header: Header; readonly body: Uint8Array } {
  return readEnvelope(bytesOf(base64).toString());
}
