import type { Delivery } from "../delivery.ts";
import type { Colors } from "./colors.ts";
import { jsonLine, visible } from "./escape.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What is printed of a delivery. */
export type PrintedDelivery = Pick<Delivery, "topic" | "id" | "attempt" | "message">;

/** A delivery as one line of JSON: `topic`, `id`, `attempt`, `header`, and `body`, or `bodyBase64` where it is not UTF-8. */
export function messageJson({ topic, id, attempt, message }: PrintedDelivery): string {
  return jsonLine({ topic, id, attempt, header: message.header, ...jsonBody(message.body) });
}

/** A delivery as one line for people: topic, attempt if it is not the first, headers and body, control characters escaped. */
export function messageText({ topic, attempt, message }: PrintedDelivery, colors: Colors): string {
  const body = visibleBody(message.body, colors);
  const headers = Object.entries(message.header).map(([name, value]) => `${visible(name)}=${visible(value)}`);
  const again = attempt > 1 ? [colors.yellow(`(attempt ${attempt})`)] : [];
  return [colors.cyan(visible(topic)), ...again, ...headers.map((header) => colors.dim(header)), body].join(" ");
}

/** A body as a member of an object that becomes JSON: `body`, or `bodyBase64` where it is not UTF-8. */
export function jsonBody(body: Uint8Array): { readonly body: string } | { readonly bodyBase64: string } {
  const text = decode(body);
  return text === undefined ? { bodyBase64: base64(body) } : { body: text };
}

/** A body for people, on one line: its text with control characters escaped, or `base64:…` where it is not UTF-8. */
export function visibleBody(body: Uint8Array, colors: Colors): string {
  const text = decode(body);
  return text === undefined ? colors.yellow(`base64:${base64(body)}`) : visible(text);
}

function decode(body: Uint8Array): string | undefined {
  try {
    return utf8.decode(body);
  } catch {
    // Any bytes are a body: those that are no text are shown as base64.
    return undefined;
  }
}

function base64(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("base64");
}
