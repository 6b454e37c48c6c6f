import { numberedBody } from "../../src/testing/conformance/sequence-log.ts";
import type { JournalRecord } from "../processes/records.ts";

/** One life of a process, from its start to its kill or end. */
export interface Life {
  /** Since when it is connected and subscribed; `undefined`: it never got so far. */
  readyAtMs: number | undefined;
}

/** A message that a publisher was about to publish. */
export interface Message {
  readonly text: string;
  readonly publisher: string;
  readonly number: number;
  readonly queue: number;
  /** When, before it was published. */
  readonly atMs: number;
  /** In which of its lives, from 0, the publisher published it. */
  readonly life: number;
  /** What the receipt says; `undefined` while there is none. */
  state: string | undefined;
}

/** A handler start. */
export interface Receipt {
  readonly receiver: string;
  readonly life: number;
  readonly record: Extract<JournalRecord, { readonly event: "received" }>;
}

/** Everything that the journals of a run say, put together by message. */
export class Ledger {
  /** Every message, by its text. */
  readonly messages: Map<string, Message> = new Map();
  readonly receipts: Receipt[] = [];
  /** How many publishes were rejected, by code. */
  readonly rejected: Map<string, number> = new Map();
  /** How often connecting or subscribing failed and was tried again, by code. */
  readonly failed: Map<string, number> = new Map();
  /** What the broker promises, as the process that was ready last says. */
  promises: { readonly guarantee: "at-least-once" | "at-most-once"; readonly durable: boolean } | undefined;
  acknowledged = 0;
  readonly #lives = new Map<string, Life[]>();
  readonly #stopped = new Set<string>();

  /** Enters a record of a process's journal. Records of one journal come in their order. */
  add(name: string, record: JournalRecord): void {
    switch (record.event) {
      case "started":
        this.#lives.set(name, [...this.livesOf(name), { readyAtMs: undefined }]);
        this.#stopped.delete(name);
        break;
      case "ready":
        this.#life(name).readyAtMs = record.atMs;
        this.promises = { guarantee: record.guarantee, durable: record.durable };
        break;
      case "sending": {
        const { number, queue, atMs } = record;
        const text = numberedBody(name, number);
        const life = this.livesOf(name).length - 1;
        this.messages.set(text, { text, publisher: name, number, queue, atMs, life, state: undefined });
        break;
      }
      case "acknowledged": {
        const message = this.messages.get(numberedBody(name, record.number));
        if (message === undefined) throw new Error(`${name} has a receipt for ${record.number}, which it never sent`);
        message.state = record.state;
        this.acknowledged += 1;
        break;
      }
      case "rejected":
        this.rejected.set(record.code, (this.rejected.get(record.code) ?? 0) + 1);
        break;
      case "failed":
        this.failed.set(record.code, (this.failed.get(record.code) ?? 0) + 1);
        break;
      case "received":
        this.receipts.push({ receiver: name, life: this.livesOf(name).length - 1, record });
        break;
      case "stopped":
        this.#stopped.add(name);
        break;
      case "ended":
        break;
    }
  }

  /** The lives of a process, in order. */
  livesOf(name: string): readonly Life[] {
    return this.#lives.get(name) ?? [];
  }

  /** Whether a publisher publishes no more. */
  hasStopped(name: string): boolean {
    return this.#stopped.has(name);
  }

  #life(name: string): Life {
    const life = this.livesOf(name).at(-1);
    if (life === undefined) throw new Error(`the journal of ${name} does not begin with its start`);
    return life;
  }
}
