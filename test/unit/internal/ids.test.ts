import { expect, test } from "vitest";
import { Ids } from "../../../src/internal/ids.ts";

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
