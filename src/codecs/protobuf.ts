/**
 * Protocol Buffers as go-micro's services exchange them, through `@bufbuild/protobuf`, an optional peer of version 2.
 * Sources: go-micro's `codec/proto`, `codec/grpc` and the codecs of its gRPC client and server.
 */
import {
  type DescMessage,
  fromBinary,
  fromJson,
  isMessage,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import type { Codec } from "../codec.ts";

/** Options of {@link protobuf}. */
export interface ProtobufOptions {
  /** What messages are labelled with. Default `application/protobuf`, which every go-micro server reads. */
  contentType?: string;
  /**
   * Write gRPC's prefix, a flag and the length in five bytes, which go-micro's own (mucp) codec for `application/grpc+proto`
   * wants, and its gRPC server does not. Default false.
   */
  prefix?: boolean;
}

/** The content types that hold a protobuf message, in go-micro's servers. */
const TYPES = [
  "application/protobuf",
  "application/proto",
  "application/x-protobuf",
  "application/proto-rpc",
  "application/grpc",
  "application/grpc+proto",
];

/** gRPC's prefix: a byte that says whether the message is compressed, and its length in four. */
const PREFIX_BYTES = 5;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Messages of one protobuf type as bytes. Reads every content type under which go-micro's clients send protobuf, with gRPC's
 * prefix and without: a message never begins with a zero byte, and the prefix always does.
 * @param schema the type, as `protoc-gen-es` generates it, or one of `@bufbuild/protobuf/wkt`
 */
export function protobuf(schema: DescMessage, options: ProtobufOptions = {}): Codec {
  const { contentType = "application/protobuf", prefix = false } = options;
  return {
    contentType,
    accepts: TYPES,
    encode(value) {
      const bytes = toBinary(schema, checked(schema, value));
      return prefix ? withPrefix(bytes) : bytes;
    },
    decode: (body) => fromBinary(schema, withoutPrefix(body)),
  };
}

/**
 * Messages of one protobuf type as JSON (`application/json`), in protobuf's own mapping: 64-bit numbers as strings, bytes as
 * base64. go-micro writes and reads it so for handlers that take protobuf types.
 */
export function protobufJson(schema: DescMessage): Codec {
  return {
    contentType: "application/json",
    encode: (value) => JSON.stringify(toJson(schema, checked(schema, value))),
    decode: (body) => fromJson(schema, JSON.parse(utf8.decode(body)) as JsonValue, { ignoreUnknownFields: true }),
  };
}

function checked(schema: DescMessage, value: unknown): Parameters<typeof toBinary>[1] {
  if (isMessage(value, schema)) return value;
  throw new TypeError(`the codec takes a message of type ${schema.typeName}, made with create()`);
}

function withPrefix(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(PREFIX_BYTES + bytes.byteLength);
  new DataView(framed.buffer).setUint32(1, bytes.byteLength);
  framed.set(bytes, PREFIX_BYTES);
  return framed;
}

function withoutPrefix(body: Uint8Array): Uint8Array {
  if (body.byteLength < PREFIX_BYTES || body[0] !== 0) return body;
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  return length === body.byteLength - PREFIX_BYTES ? body.subarray(PREFIX_BYTES) : body;
}
