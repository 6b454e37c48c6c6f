import { describe, expect, test } from "vitest";
import { until } from "../../../src/testing/index.ts";

describe("until", () => {
  test("resolves with what the condition returns, at once when it holds", async () => {
    let asked = 0;
    const value = await until(() => ++asked && "found", { what: "it is found" });
    expect([value, asked]).toEqual(["found", 1]);
  });

  test("asks again until an asynchronous condition holds", async () => {
    let asked = 0;
    const value = await until(
      async () => {
        asked += 1;
        return asked < 4 ? undefined : asked;
      },
      { what: "it was asked four times" },
    );
    expect(value).toBe(4);
  });

  test("fails at the deadline and says what it waited for, and how far it came", async () => {
    const waiting = until(() => false, { deadlineMs: 30, what: "pigs fly", detail: () => "they walk" });
    await expect(waiting).rejects.toThrow("waited 30 ms in vain until pigs fly: they walk");
    await expect(until(() => 0, { deadlineMs: 1, what: "zero counts" })).rejects.toThrow(/until zero counts$/);
  });

  test("passes on what the condition throws", async () => {
    const thrown = until(
      () => {
        throw new Error("no such thing");
      },
      { what: "it exists" },
    );
    await expect(thrown).rejects.toThrow("no such thing");
  });

  test("asks once more at the deadline: a condition that holds late but in time is seen", async () => {
    const started = performance.now();
    await until(() => performance.now() - started > 40, { deadlineMs: 60, what: "40 ms have passed" });
  });
});
