/**
 * go-micro's JSON envelope, as its brokers on HTTP, NATS and others write and read it: `{"Header":{...},"Body":"<base64>"}`, header
 * names sorted, and the characters escaped that Go's encoder escapes. Reading is as lenient as Go's decoder: keys in any
 * case, line breaks in base64, a body of numbers, unknown keys. Source: go-micro's `broker/http.go` and Go's `encoding/json`.
 */
import { copyHeader, type Header } from "../message.ts";

/** What an envelope holds. */
export interface Envelope {
  readonly header: Header;
  readonly body: Uint8Array;
}

/** Writes an envelope, byte for byte as Go does. */
export function writeEnvelope(header: Header, body: Uint8Array): string {
  const names = Object.keys(header).sort(byUtf8);
  const pairs = names.map((name) => `${goString(name)}:${goString(header[name] ?? "")}`);
  const base64 = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("base64");
  return `{"Header":{${pairs.join(",")}},"Body":"${base64}"}`;
}

/**
 * Reads an envelope.
 * @throws Error that says what is wrong with it
 */
export function readEnvelope(text: string): Envelope {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new Error("the envelope is not a JSON object");
  let header: Record<string, string> = Object.create(null);
  let body: Uint8Array = new Uint8Array(0);
  for (const [name, value] of Object.entries(parsed)) {
    if (name.toLowerCase() === "header") header = Object.assign(header, readHeader(value));
    else if (name.toLowerCase() === "body") body = readBody(value);
  }
  return { header: copyHeader(header).header, body };
}

function readHeader(value: unknown): Record<string, string> {
  const header: Record<string, string> = Object.create(null);
  if (value === null) return header;
  if (typeof value !== "object" || Array.isArray(value)) throw new Error("Header is not an object");
  for (const [name, text] of Object.entries(value)) {
    if (text !== null && typeof text !== "string") throw new Error(`header ${JSON.stringify(name)} is not a string`);
    header[name.toWellFormed()] = (text ?? "").toWellFormed();
  }
  return header;
}

function readBody(value: unknown): Uint8Array {
  if (value === null) return new Uint8Array(0);
  if (Array.isArray(value)) {
    if (!value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255))
      throw new Error("Body is an array of something else than bytes");
    return Uint8Array.from(value as number[]);
  }
  if (typeof value !== "string") throw new Error("Body is neither a string nor an array of bytes");
  const base64 = value.replace(/[\r\n]/g, "");
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new Error("Body is not base64");
  return Buffer.from(base64, "base64");
}

/** A JSON string as Go's encoder writes it (since Go 1.22: with `\b` and `\f`). */
function goString(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

// Go sorts by bytes; JavaScript compares UTF-16, which differs from it only beyond the basic plane.
function byUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
