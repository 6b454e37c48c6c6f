import { setTimeout as pause } from "node:timers/promises";
import { type Broker, BrokerError } from "tidings";
import { numberedBody } from "../../src/testing/conformance/sequence-log.ts";
import { JournalReader, type JournalWriter } from "./journal.ts";
import { type ProcessArguments, topicOf } from "./protocol.ts";
import { hostNowMs } from "./records.ts";

/** How many publishes may be unanswered. */
const WINDOW = 256;
/** How often it looks whether messages are due, in milliseconds. */
const TICK_MS = 5;
/** How soon a publish that may be tried again is, in milliseconds. */
const AGAIN_AFTER_MS = 50;

/**
 * Publishes numbered messages at its rate until the signal says no more; then waits for the answers. Numbers continue where
 * the journal of its earlier lives ends. Each is written down before it is published, and its receipt when that has come.
 */
export async function publish(
  broker: Broker,
  journal: JournalWriter,
  args: ProcessArguments,
  finish: AbortSignal,
): Promise<void> {
  const { name, prefix, queues, rate } = args;
  const unanswered = new Set<Promise<void>>();

  const one = async (number: number): Promise<void> => {
    const queue = number % queues;
    const text = numberedBody(name, number);
    journal.write({ event: "sending", number, queue, atMs: hostNowMs() });
    for (;;) {
      try {
        const { state } = await broker.publish(topicOf(prefix, queue), { body: text }, { id: text });
        journal.write({ event: "acknowledged", number, state });
        return;
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        journal.write({ event: "rejected", number, code: error.code });
        // Whoever stops trying has no receipt: the message may come or not.
        if (!error.retryable || finish.aborted) return;
      }
      await pause(AGAIN_AFTER_MS);
    }
  };

  const first = nextNumber(args.journal);
  const startedAt = performance.now();
  for (let number = first; !finish.aborted; ) {
    const due = first + Math.floor(((performance.now() - startedAt) * rate) / 1_000);
    for (; number <= due && unanswered.size < WINDOW && !finish.aborted; number += 1) {
      const sent = one(number).finally(() => unanswered.delete(sent));
      unanswered.add(sent);
    }
    await pause(TICK_MS);
  }
  await Promise.all(unanswered);
  journal.write({ event: "stopped" });
}

/** The number after the highest one that a journal has. */
function nextNumber(journal: string): number {
  const numbers = new JournalReader(journal).read().map((record) => (record.event === "sending" ? record.number : -1));
  return numbers.reduce((highest, number) => Math.max(highest, number), -1) + 1;
}
