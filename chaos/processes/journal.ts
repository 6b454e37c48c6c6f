import { closeSync, existsSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import type { JournalRecord } from "./records.ts";

const LINE_FEED = 0x0a;
const CHUNK_BYTES = 1 << 20;

/** What a process writes down, in a file that is only ever appended to, over all its lives. */
export interface JournalWriter {
  /** Returns once the record is with the kernel: from then on it outlives the process, however that ends. */
  write(record: JournalRecord): void;
}

/** Opens a journal to append to. A line that a kill has torn is ended, so that the next record stands alone. */
export function openJournal(path: string): JournalWriter {
  const file = openSync(path, "a+");
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  if (size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== LINE_FEED) writeSync(file, "\n");
  return { write: (record) => void writeSync(file, `${JSON.stringify(record)}\n`) };
}

/** Reads a journal while it grows. */
export class JournalReader {
  readonly #path: string;
  #offset = 0;
  #rest = Buffer.alloc(0);
  #torn: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * What was written since the last call; empty while there is no such file. The last line is left for later as long as it
   * has no end. One that a kill has torn is skipped.
   * @throws Error where a line is broken that no kill can have torn
   */
  read(): JournalRecord[] {
    const records: JournalRecord[] = [];
    for (const line of this.#lines()) {
      if (line === "") continue;
      const record = parse(line);
      if (this.#torn !== undefined && record?.event !== "started")
        throw new Error(`${this.#path} is damaged: ${JSON.stringify(this.#torn)}`);
      this.#torn = record === undefined ? line : undefined;
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  #lines(): string[] {
    if (!existsSync(this.#path)) return [];
    const file = openSync(this.#path, "r");
    try {
      const pieces = [this.#rest];
      for (;;) {
        const chunk = Buffer.alloc(CHUNK_BYTES);
        const bytes = readSync(file, chunk, 0, CHUNK_BYTES, this.#offset);
        if (bytes === 0) break;
        this.#offset += bytes;
        pieces.push(chunk.subarray(0, bytes));
      }
      const all = Buffer.concat(pieces);
      const end = all.lastIndexOf(LINE_FEED) + 1;
      this.#rest = all.subarray(end);
      return all.subarray(0, end).toString("utf8").split("\n");
    } finally {
      closeSync(file);
    }
  }
}

function parse(line: string): JournalRecord | undefined {
  try {
    return JSON.parse(line) as JournalRecord;
  } catch {
    // The reader decides whether a kill can have torn it.
    return undefined;
  }
}
