import fc from "fast-check";
import { expect, test } from "vitest";
import { giveBackLarge, LARGE_COPY_BYTES, takeLarge } from "../../../src/internal/large-copies.ts";

const MEBIBYTE = 1024 * 1024;

test("what is in use is nobody else's, has the size that was asked for, and leaves little of its piece empty", () => {
  const size = fc.integer({ min: LARGE_COPY_BYTES, max: MEBIBYTE });
  const step = fc.record({ size, gives: fc.boolean(), which: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const inUse: Buffer[] = [];
      for (const { size, gives, which } of steps) {
        if (gives && inUse.length > 0) giveBackLarge(inUse.splice(which % inUse.length, 1)[0] as Buffer);
        else {
          const copy = takeLarge(size);
          expect(copy.byteLength).toBe(size);
          expect(copy.buffer.byteLength).toBeLessThan(size * 1.25);
          inUse.push(copy);
        }
        expect(new Set(inUse.map(({ buffer }) => buffer)).size).toBe(inUse.length);
      }
    }),
    { numRuns: 50 },
  );
});

test("what is given back is used again, up to 24 MiB of it", () => {
  const many = Array.from({ length: 600 }, () => takeLarge(64 * 1024));
  const memories = new Set(many.map(({ buffer }) => buffer));
  for (const copy of many) giveBackLarge(copy);
  const again = Array.from({ length: 600 }, () => takeLarge(64 * 1024));
  const used = again.filter(({ buffer }) => memories.has(buffer)).length;
  // What the tests above gave back waits too.
  expect(used * 64 * 1024).toBeGreaterThan(16 * MEBIBYTE);
  expect(used * 64 * 1024).toBeLessThanOrEqual(24 * MEBIBYTE);
});

test("sizes that nobody wants any more make room for others", () => {
  for (const copy of Array.from({ length: 300 }, () => takeLarge(100_000))) giveBackLarge(copy);
  const many = Array.from({ length: 100 }, () => takeLarge(40_000));
  const memories = new Set(many.map(({ buffer }) => buffer));
  for (const copy of many) giveBackLarge(copy);
  const again = Array.from({ length: 100 }, () => takeLarge(40_000));
  expect(again.every(({ buffer }) => memories.has(buffer))).toBe(true);
});
