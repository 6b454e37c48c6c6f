/**
 * The text records of go-micro's mDNS registry: JSON, compressed with zlib, as hexadecimal digits, cut into strings of 255
 * bytes. Source: go-micro's `registry/mdns_registry.go`. The key `Tidings` is ours: Go passes over keys that it does not know.
 */
import { deflateSync, inflateSync } from "node:zlib";
import type { Node, Service } from "../../registry.ts";

/** The longest character-string of DNS in bytes (RFC 1035, section 3.3). */
const STRING_BYTES = 255;

/** The largest JSON that a record may inflate to, in bytes: a packet of 64 KiB could otherwise grow a thousandfold. */
const MAX_JSON_BYTES = 1024 * 1024;

/** What a text record holds, beside the node's id and address. Nothing in it is checked. */
export interface TextContent {
  readonly service: string;
  readonly version: unknown;
  readonly endpoints: unknown;
  readonly nodeMetadata: unknown;
  /** What go-micro's records have no place for. */
  readonly serviceMetadata: unknown;
  /** The node's id, where no DNS name can hold it. */
  readonly id: unknown;
  /** The node's address, where it is not an IP address with a port. */
  readonly address: unknown;
}

/** What {@link encodeText} writes beside the service and its node. */
export interface TextExtras {
  readonly id: string | undefined;
  readonly address: string | undefined;
}

/** Writes the text record of one node. */
export function encodeText(service: Service, node: Node, { id, address }: TextExtras): Buffer[] {
  const metadata = Object.keys(service.metadata).length > 0 ? service.metadata : undefined;
  const ours = [id, address, metadata].some((value) => value !== undefined);
  const json = JSON.stringify({
    Metadata: node.metadata,
    Service: service.name,
    Version: service.version,
    Endpoints: service.endpoints.length > 0 ? service.endpoints : null,
    // Members that are undefined are not written.
    Tidings: ours ? { Id: id, Address: address, Metadata: metadata } : undefined,
  });
  const hex = Buffer.from(deflateSync(json).toString("hex"));
  return Array.from({ length: Math.ceil(hex.length / STRING_BYTES) }, (_one, index) =>
    hex.subarray(index * STRING_BYTES, (index + 1) * STRING_BYTES),
  );
}

/** Reads a text record, as leniently as Go does: keys in any case, unknown ones passed over; `undefined` where it is none. */
export function decodeText(strings: readonly Uint8Array[]): TextContent | undefined {
  const hex = Buffer.concat(strings).toString("latin1");
  if (hex.length === 0 || hex.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(hex)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(inflateSync(Buffer.from(hex, "hex"), { maxOutputLength: MAX_JSON_BYTES }).toString("utf8"));
  } catch {
    // Not zlib, too large, or not JSON: not a record of go-micro.
    return undefined;
  }
  const service = member(parsed, "Service");
  if (typeof service !== "string" || service === "") return undefined;
  const ours = member(parsed, "Tidings");
  return {
    service,
    version: member(parsed, "Version") ?? "",
    endpoints: readEndpoints(member(parsed, "Endpoints")),
    nodeMetadata: member(parsed, "Metadata") ?? {},
    serviceMetadata: member(ours, "Metadata") ?? {},
    id: member(ours, "Id"),
    address: member(ours, "Address"),
  };
}

/** Go leaves out nothing, but writes null for what is empty. */
function readEndpoints(value: unknown): unknown {
  if (!Array.isArray(value)) return value ?? [];
  return value.map((endpoint) => ({
    name: member(endpoint, "name") ?? "",
    request: readValue(member(endpoint, "request")),
    response: readValue(member(endpoint, "response")),
    metadata: member(endpoint, "metadata") ?? {},
  }));
}

function readValue(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  const values = member(value, "values");
  return {
    name: member(value, "name") ?? "",
    type: member(value, "type") ?? "",
    values: Array.isArray(values) ? values.map(readValue) : (values ?? null),
  };
}

/** A member by its name in any case; the last wins, as in Go. */
function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const wanted = name.toLowerCase();
  return Object.entries(value)
    .reverse()
    .find(([key]) => key.toLowerCase() === wanted)?.[1];
}
