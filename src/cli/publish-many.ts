import { setImmediate } from "node:timers/promises";
import type { Receipt } from "../receipt.ts";
import { Pace } from "./pace.ts";

/** How many publishes may wait for their receipt at once. */
const IN_FLIGHT = 256;

/** What {@link publishMany} is told. */
export interface PublishPlan {
  /** How many messages to publish. */
  readonly count: number;
  /** Messages a second; `undefined`: as fast as they are taken. */
  readonly rate: number | undefined;
  publish(): Promise<Receipt>;
  /** Called for every receipt, in the order of publishing; the next one waits for it. */
  onReceipt(receipt: Receipt): Promise<void>;
  /** Stops it: what was published is answered, no more is. */
  readonly stop: AbortSignal;
}

/**
 * Publishes messages one after the other, at a rate if one is given. Resolves when each is answered: with the first error,
 * after which nothing more was published, or with `undefined`.
 */
export async function publishMany({ count, rate, publish, onReceipt, stop }: PublishPlan): Promise<unknown> {
  const pace = rate === undefined ? undefined : new Pace(rate);
  const pending: Promise<void>[] = [];
  let failure: { readonly error: unknown } | undefined;
  let last = Promise.resolve();
  const handle = async (previous: Promise<void>, answer: Promise<Receipt>) => {
    try {
      const [receipt] = await Promise.all([answer, previous]);
      await onReceipt(receipt);
    } catch (error) {
      failure ??= { error };
    }
  };
  for (let n = 0; n < count && failure === undefined; n += 1) {
    if (!(await isDue(n, pace, stop))) break;
    last = handle(last, publish());
    pending.push(last);
    if (pending.length >= IN_FLIGHT) await pending.shift();
  }
  await Promise.all(pending);
  return failure?.error;
}

/** Waits until message number `n` may be published; false when it was stopped. */
async function isDue(n: number, pace: Pace | undefined, stop: AbortSignal): Promise<boolean> {
  if (pace === undefined) {
    // A broker that answers at once would otherwise leave no room for signals and timers.
    if (n % IN_FLIGHT === IN_FLIGHT - 1) await setImmediate();
    return !stop.aborted;
  }
  try {
    await pace.due(n, stop);
    return !stop.aborted;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}
