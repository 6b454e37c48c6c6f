import assert from "node:assert/strict";

/** What became of numbered messages. Entries read `publisher#number`. */
export interface SequenceAudit {
  readonly sent: number;
  /** Receipts in all, duplicates included. */
  readonly received: number;
  readonly missing: readonly string[];
  readonly duplicated: readonly string[];
  /** Received, though nobody sent it. */
  readonly unexpected: readonly string[];
  /** First receipts that came after a higher number of the same publisher at the same receiver. */
  readonly outOfOrder: readonly string[];
}

/** A numbered message, as its body says. */
export interface Numbered {
  readonly publisher: string;
  readonly number: number;
}

/** The body of a numbered message. */
export function numberedBody(publisher: string, number: number): string {
  return `${publisher}#${number}`;
}

/** Reads a numbered message's body. */
export function parseNumbered(text: string): Numbered {
  const at = text.lastIndexOf("#");
  return { publisher: text.slice(0, at), number: Number(text.slice(at + 1)) };
}

/**
 * Who sent and who received which numbers: the one way in which checks show that nothing was lost, doubled or reordered.
 * A receiver logs before it acks.
 */
export class SequenceLog {
  readonly #sent = new Set<string>();
  readonly #received = new Map<string, string[]>();

  /** A publisher sent this number. */
  sent(publisher: string, number: number): void {
    this.#sent.add(numberedBody(publisher, number));
  }

  /** A receiver got a message with this body. */
  received(receiver: string, text: string): void {
    const list = this.#received.get(receiver);
    if (list === undefined) this.#received.set(receiver, [text]);
    else list.push(text);
  }

  /** How many messages one receiver got, duplicates included. */
  count(receiver: string): number {
    return this.#received.get(receiver)?.length ?? 0;
  }

  /** Whether the receivers, taken together (all of them unless named), have got everything. Cheap enough to poll. */
  complete(receivers?: readonly string[]): boolean {
    const lists = this.#lists(receivers);
    if (lists.reduce((sum, list) => sum + list.length, 0) < this.#sent.size) return false;
    const got = new Set(lists.flat());
    for (const entry of this.#sent) if (!got.has(entry)) return false;
    return true;
  }

  /** What became of everything sent, at the receivers taken together: all of them unless named. */
  audit(receivers?: readonly string[]): SequenceAudit {
    const got = new Set<string>();
    const duplicated: string[] = [];
    const outOfOrder: string[] = [];
    let received = 0;
    for (const list of this.#lists(receivers)) {
      const highest = new Map<string, number>();
      for (const entry of list) {
        received += 1;
        if (got.has(entry)) {
          duplicated.push(entry);
          continue;
        }
        got.add(entry);
        const { publisher, number } = parseNumbered(entry);
        const before = highest.get(publisher) ?? Number.NEGATIVE_INFINITY;
        if (number < before) outOfOrder.push(entry);
        else highest.set(publisher, number);
      }
    }
    return {
      sent: this.#sent.size,
      received,
      missing: [...this.#sent].filter((entry) => !got.has(entry)),
      duplicated,
      unexpected: [...got].filter((entry) => !this.#sent.has(entry)),
      outOfOrder,
    };
  }

  /** Asserts that the receivers, taken together, got everything exactly once; with `inOrder`, each in the order sent. */
  assertExact(receivers?: readonly string[], options: { inOrder?: boolean } = {}): void {
    const audit = this.audit(receivers);
    const whole = audit.missing.length === 0 && audit.duplicated.length === 0 && audit.unexpected.length === 0;
    const ordered = options.inOrder !== true || audit.outOfOrder.length === 0;
    assert.ok(whole && ordered, this.describe(receivers));
  }

  /** The audit in one line, for errors. */
  describe(receivers?: readonly string[]): string {
    const audit = this.audit(receivers);
    const lists = (["missing", "duplicated", "unexpected", "outOfOrder"] as const)
      .filter((name) => audit[name].length > 0)
      .map((name) => `${audit[name].length} ${name === "outOfOrder" ? "out of order" : name} (${sample(audit[name])})`);
    const who = receivers === undefined ? "" : `${receivers.join(" + ")}: `;
    return `${who}${audit.sent} sent, ${audit.received} received${lists.map((text) => `, ${text}`).join("")}`;
  }

  #lists(receivers: readonly string[] | undefined): readonly string[][] {
    if (receivers === undefined) return [...this.#received.values()];
    return receivers.map((name) => this.#received.get(name) ?? []);
  }
}

function sample(entries: readonly string[]): string {
  return entries.length > 5 ? `${entries.slice(0, 5).join(", ")}, ...` : entries.join(", ");
}
