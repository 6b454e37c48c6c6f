import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Audience, type Audit, audit } from "../../chaos/check/audit.ts";
import { Ledger } from "../../chaos/check/ledger.ts";
import type { Terms } from "../../chaos/check/terms.ts";
import { JournalReader } from "../../chaos/processes/journal.ts";
import type { JournalRecord } from "../../chaos/processes/records.ts";

/** The terms of a broker that promises everything. */
export const DURABLE: Terms = {
  broker: "test",
  guarantee: "at-least-once",
  durable: true,
  keptBy: "engine",
  engineKilled: false,
};

/** The journals of a run that never was, as a test writes them. Each record comes a millisecond after the one before. */
export class Doctored {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tidings-doctored-"));
  readonly #names = new Set<string>();
  #nowMs = 0;

  /** Appends records to the journal of a process. */
  write(name: string, ...records: readonly JournalRecord[]): this {
    this.#names.add(name);
    for (const record of records) this.text(name, `${JSON.stringify(record)}\n`);
    return this;
  }

  /** Appends text, as it is. */
  text(name: string, text: string): this {
    appendFileSync(this.path(name), text);
    return this;
  }

  /** A life of a process begins, and is ready. */
  starts(name: string): this {
    const { guarantee, durable } = DURABLE;
    return this.write(name, { event: "started", pid: 1 }, { event: "ready", atMs: this.#tick(), guarantee, durable });
  }

  /** Publishes a message for a queue, and gets a receipt. */
  publishes(name: string, number: number, queue = 0): this {
    this.attempts(name, number, queue);
    return this.write(name, { event: "acknowledged", number, state: "stored" });
  }

  /** Publishes a message and gets no receipt. */
  attempts(name: string, number: number, queue = 0): this {
    return this.write(name, { event: "sending", number, queue, atMs: this.#tick() });
  }

  /** A member gets a message in a queue, under the topic of one; without a queue where that is `null`. */
  gets(
    name: string,
    text: string,
    queue: number | null = 0,
    change: { topic?: number; id?: string; attempt?: number } = {},
  ): this {
    const { topic = queue ?? 0, id = text, attempt = 1 } = change;
    return this.write(name, { event: "received", queue, topic, id, text, attempt, atMs: this.#tick() });
  }

  /** What the checker says of the journals. */
  ledger(): Ledger {
    const ledger = new Ledger();
    for (const name of this.#names)
      for (const record of new JournalReader(this.path(name)).read()) ledger.add(name, record);
    return ledger;
  }

  /** What the checker says of the journals. */
  audit(terms: Partial<Terms> = {}, audience: Partial<Audience> = {}): Audit {
    return audit(this.ledger(), { queues: 1, broadcast: [], ...audience }, { ...DURABLE, ...terms });
  }

  path(name: string): string {
    return join(this.folder, `${name}.jsonl`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #tick(): number {
    this.#nowMs += 1;
    return this.#nowMs;
  }
}
