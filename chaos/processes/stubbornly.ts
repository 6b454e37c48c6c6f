import { setTimeout as pause } from "node:timers/promises";
import { BrokerError } from "tidings";
import type { JournalWriter } from "./journal.ts";

/** How soon what failed is tried again, in milliseconds. */
const AGAIN_AFTER_MS = 50;

/**
 * Does something again as long as it fails with what may be tried again, since trouble may meet it, and writes each failure
 * down. It never gives up: the parent does.
 * @throws what may not be tried again
 */
export async function stubbornly(journal: JournalWriter, work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof BrokerError) || !error.retryable) throw error;
      journal.write({ event: "failed", code: error.code });
    }
    await pause(AGAIN_AFTER_MS);
  }
}
