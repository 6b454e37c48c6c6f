import type { Receipt, ReceiptState } from "../receipt.ts";
import { jsonLine, visible } from "./escape.ts";
import type { LineWriter } from "./line-writer.ts";

/** Up to this many messages have a line each; more have one summary. */
const MAX_LINES = 20;

/** Prints receipts, and counts them by state. A reader that leaves stops the printing and nothing else. */
export class Receipts {
  readonly #output: LineWriter;
  readonly #topic: string;
  readonly #style: "json" | "lines" | "summary";
  readonly #counts = new Map<ReceiptState, number>();
  #readerLeft = false;

  constructor(output: LineWriter, topic: string, options: { json: boolean; expected: number }) {
    this.#output = output;
    this.#topic = visible(topic);
    this.#style = options.json ? "json" : options.expected <= MAX_LINES ? "lines" : "summary";
  }

  /** How many receipts had this state. */
  count(state: ReceiptState): number {
    return this.#counts.get(state) ?? 0;
  }

  async add(receipt: Receipt): Promise<void> {
    this.#counts.set(receipt.state, this.count(receipt.state) + 1);
    if (this.#style === "json") await this.#print(jsonLine({ id: receipt.id, state: receipt.state }));
    else if (this.#style === "lines") await this.#print(`${this.#topic} ${visible(receipt.id)} ${receipt.state}`);
  }

  /** Prints the summary, where there is one. */
  async end(): Promise<void> {
    if (this.#style !== "summary") return;
    const states = [...this.#counts].map(([state, count]) => `${count} ${state}`).join(", ");
    await this.#print(`${this.#topic}: ${states === "" ? "nothing published" : states}`);
  }

  async #print(line: string): Promise<void> {
    if (!this.#readerLeft) this.#readerLeft = !(await this.#output.tryWrite(line));
  }
}
