import { expect } from "vitest";
import type { FuzzOutcome } from "../../fuzz/outcome.ts";

/** What the second half of a run may leave in memory, in bytes: what the broker remembers for a while, and is bounded. */
const MAX_HEAP_GROWTH = 32 * 1024 * 1024;

/** How much a fuzzing test does: little, and the same each time, unless `npm run fuzz` asks for more. */
export function runOf(inputs: number): { readonly inputs: number; readonly seed: number } {
  return {
    inputs: Number(process.env["TIDINGS_FUZZ_INPUTS"] ?? inputs),
    seed: Number(process.env["TIDINGS_FUZZ_SEED"] ?? 2_026),
  };
}

/** Nothing of a run is left: no sockets, and no memory that grows with the inputs. */
export function expectNoLeak({ inputs, delivered, refused, heapGrowth, socketsLeft }: FuzzOutcome): void {
  if (process.env["TIDINGS_FUZZ_INPUTS"] !== undefined)
    process.stdout.write(`${JSON.stringify({ inputs, delivered, refused, heapGrowth, socketsLeft })}\n`);
  expect(socketsLeft).toBe(0);
  expect(heapGrowth).toBeLessThan(MAX_HEAP_GROWTH);
}
