import { expect, test } from "vitest";
import { coalesced } from "../../../src/registries/local/coalesced.ts";
import { settle } from "./helpers.ts";

interface Run {
  readonly end: () => void;
  readonly fail: (error: Error) => void;
}

function manual(): { runs: Run[]; call: () => Promise<number> } {
  const runs: Run[] = [];
  const call = coalesced(
    () =>
      new Promise<number>((resolve, reject) => {
        const number = runs.length + 1;
        runs.push({ end: () => resolve(number), fail: reject });
      }),
  );
  return { runs, call };
}

test("calls made at once share a run; calls made during a run share the next", async () => {
  const { runs, call } = manual();
  const first = [call(), call()];
  await settle();
  const second = [call(), call(), call()];
  await settle();
  expect(runs).toHaveLength(1);
  runs[0]?.end();
  await settle();
  expect(runs).toHaveLength(2);
  runs[1]?.end();
  expect(await Promise.all([...first, ...second])).toEqual([1, 1, 2, 2, 2]);
});

test("a run that fails is the failure of its own callers only", async () => {
  const { runs, call } = manual();
  const first = expect(call()).rejects.toThrow("broken");
  await settle();
  const second = call();
  runs[0]?.fail(new Error("broken"));
  await first;
  await settle();
  runs[1]?.end();
  expect(await second).toBe(2);
});
