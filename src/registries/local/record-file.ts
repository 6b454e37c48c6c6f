import { createHash } from "node:crypto";
import type { Service } from "../../registry.ts";
import { copyService } from "../copy-service.ts";
import { type RegistryRecord, recordKey, toRecord } from "../records.ts";

/** The largest file that is read or written. */
export const MAX_FILE_BYTES: number = 8 * 1024 * 1024;

const SCHEMA = "tidings-registry-1";

/** The size of a file without records, in bytes. */
export const EMPTY_FILE_BYTES: number = Buffer.byteLength(joinRecords([]));

/** What a file of the folder is for, by its name. */
export type FileKind = { readonly kind: "owned" | "temporary"; readonly stem: string } | { readonly kind: "standing" };

/** Tells the registry's own files from others (`undefined`). */
export function fileKind(name: string): FileKind | undefined {
  if (/^standing-[0-9a-f]{32}\.json$/.test(name)) return { kind: "standing" };
  if (name.endsWith(".json")) return { kind: "owned", stem: name.slice(0, -".json".length) };
  const temporary = /^\.([0-9a-f-]+)\.\d+\.tmp$/.exec(name);
  return temporary === null ? undefined : { kind: "temporary", stem: temporary[1] ?? "" };
}

/** The name of the file that an instance keeps its records in. */
export function ownedName(stem: string): string {
  return `${stem}.json`;
}

/** The name of the file of a standing record, the same in every process. */
export function standingName(key: string): string {
  return `standing-${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`;
}

/** One record as text, for {@link joinRecords}. */
export function encodeRecord(record: RegistryRecord): string {
  const { service, registeredAt, expiresAt } = record;
  return JSON.stringify({ registeredAt, expiresAt, service });
}

/** The content of a file with these records. */
export function joinRecords(encoded: readonly string[]): string {
  return `{"schema":"${SCHEMA}","records":[${encoded.join(",\n")}]}\n`;
}

/** How much an encoded record adds to a file, in bytes. */
export function recordBytes(encoded: string): number {
  return Buffer.byteLength(encoded) + 2;
}

/** The records of a file, by key; `undefined` when it is not one. A record that is malformed is left out. */
export function decodeRecords(content: string): Map<string, RegistryRecord> | undefined {
  let file: unknown;
  try {
    file = JSON.parse(content);
  } catch {
    // Truncated or foreign: the caller decides what becomes of it.
    return undefined;
  }
  if (typeof file !== "object" || file === null || !("schema" in file) || file.schema !== SCHEMA) return undefined;
  if (!("records" in file) || !Array.isArray(file.records)) return undefined;
  const records = new Map<string, RegistryRecord>();
  for (const item of file.records) {
    const record = decodeRecord(item);
    if (record !== undefined) records.set(recordKey(record.service, record.node), record);
  }
  return records;
}

function decodeRecord(item: unknown): RegistryRecord | undefined {
  if (typeof item !== "object" || item === null) return undefined;
  const { registeredAt, expiresAt, service } = item as Record<string, unknown>;
  if (!Number.isFinite(registeredAt) || !Number.isFinite(expiresAt)) return undefined;
  let copy: Service;
  try {
    copy = copyService(service);
  } catch {
    // One record that is not understood does not cost the file its others.
    return undefined;
  }
  const [node, ...others] = copy.nodes;
  if (node === undefined || others.length > 0) return undefined;
  return toRecord(copy, node, registeredAt as number, expiresAt as number);
}
