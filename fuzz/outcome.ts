import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What a fuzzing run came to. */
export interface FuzzOutcome {
  readonly inputs: number;
  /** Messages that reached a handler, or records that were read: inputs that were whole, or whose changes left them so. */
  readonly delivered: number;
  /** Inputs that the other side refused with a word. */
  readonly refused: number;
  /** What must not have happened, with the number of the input or round. */
  readonly failures: readonly string[];
  /** Growth of the heap over the second half of the run, in bytes. */
  readonly heapGrowth: number;
  /** Sockets and servers that are still there after everything was closed. */
  readonly socketsLeft: number;
}

/** How long sockets may take to close after everything was closed, in milliseconds. */
const CLOSING_MS = 10_000;

/** Sockets and servers of this process. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => /^(TCP|TLS)/.test(kind)).length;
}

/** How many more sockets there are than before, once they have had time to close. */
export async function socketsLeft(before: number): Promise<number> {
  const giveUpAt = Date.now() + CLOSING_MS;
  while (openSockets() > before && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 10));
  return Math.max(0, openSockets() - before);
}

/**
 * Runs inputs, so many at a time, and looks after each batch whether all is well.
 * @returns how much the heap grew over the second half, in bytes
 */
export async function inBatches(
  inputs: number,
  batch: number,
  run: (index: number) => Promise<void>,
  after: () => Promise<void>,
): Promise<number> {
  let half: number | undefined;
  for (let from = 0; from < inputs; from += batch) {
    const count = Math.min(batch, inputs - from);
    await Promise.all(Array.from({ length: count }, (_one, offset) => run(from + offset)));
    await after();
    if (from + count >= inputs / 2) half ??= heapInUse();
  }
  return heapInUse() - (half ?? 0);
}

function heapInUse(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}
