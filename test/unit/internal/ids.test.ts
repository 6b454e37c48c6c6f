import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import { Ids } from "../../../src/internal/ids.ts";

vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  return { ...crypto, randomUUID: vi.fn(crypto.randomUUID) };
});

test("ids are unique, have the form of a UUID, and two sources share none", () => {
  const sources = [new Ids(), new Ids(), new Ids()];
  const ids = sources.flatMap((source) => Array.from({ length: 10_000 }, () => source.next()));
  expect(new Set(ids).size).toBe(30_000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("the digits count up from one id to the next, over the end of each block", () => {
  const ids = new Ids();
  const numbers = Array.from({ length: 1_000 }, () => Number.parseInt(ids.next().slice(-12), 16));
  const first = numbers[0] as number;
  expect(numbers).toEqual(numbers.map((_, index) => first + index));
});

test("another source begins where all numbers were used", () => {
  const last = "9b2ffec6-3d8a-4d3a-8f0a-ffffffffff12";
  const other = "0e8c1f5a-77b1-4c02-9d3e-000000000345";
  vi.mocked(randomUUID).mockReturnValueOnce(last).mockReturnValueOnce(other);
  const ids = new Ids();
  const made = Array.from({ length: 257 }, () => ids.next());
  expect(made.slice(-2)).toEqual([`${last.slice(0, -2)}ff`, `${other.slice(0, -2)}00`]);
  expect(new Set(made).size).toBe(257);
});
