import { describe, expect, test, vi } from "vitest";
import { BrokerError, isFinal } from "../../../../src/errors.ts";
import { type PayloadCheck, validate } from "../../../../src/service/middleware/index.ts";
import { failureOf, publishContext, subscribeContext } from "./contexts.ts";

const receipt = { id: "id-1", state: "accepted" } as const;
const invalid = { code: "ERR_INVALID_PAYLOAD", retryable: false, topic: "orders.created" };

describe("validate", () => {
  test.each<[string, PayloadCheck]>([
    ["nothing", () => {}],
    ["nothing, later", async () => {}],
    ["true", () => true],
    ["no issues", async () => []],
  ])("lets a payload through when the check returns %s", async (_what, check) => {
    const { subscribe, publish } = validate(check);
    expect(await subscribe(subscribeContext(), async () => "done")).toBe("done");
    expect(await publish(publishContext(), async () => receipt)).toBe(receipt);
  });

  test.each<[string, PayloadCheck, string]>([
    ["issues", () => ["no id", "no total"], "no id; no total"],
    ["issues, later", async () => ["no id"], "no id"],
    ["false", () => false, "the check says no"],
  ])("refuses a payload when the check returns %s", async (_what, check, text) => {
    const { subscribe, publish } = validate(check);
    for (const run of [
      subscribe(subscribeContext(), () => expect.unreachable()),
      publish(publishContext(), () => expect.unreachable()),
    ]) {
      const error = await failureOf(run);
      expect(error).toMatchObject({ ...invalid, message: `The payload for orders.created is not valid: ${text}.` });
      expect(isFinal(error)).toBe(true);
    }
  });

  test("takes what the check throws for an issue, but for errors that have a code", async () => {
    const thrown = new Error("total is negative");
    const error = await failureOf(
      validate(() => Promise.reject(thrown)).subscribe(subscribeContext(), () => expect.unreachable()),
    );
    expect(error).toMatchObject({ ...invalid, cause: thrown, message: expect.stringContaining("total is negative") });
    const busy = new BrokerError("ERR_CONNECTION_LOST", "cannot tell now");
    const check = () => {
      throw busy;
    };
    expect(await failureOf(validate(check).subscribe(subscribeContext(), () => expect.unreachable()))).toBe(busy);
  });

  test("sees payload and context of either side", async () => {
    const check = vi.fn(() => undefined);
    const { subscribe, publish } = validate(check);
    const incoming = subscribeContext({ payload: async () => "in" });
    const outgoing = publishContext({ payload: "out" });
    await subscribe(incoming, async () => undefined);
    await publish(outgoing, async () => receipt);
    expect(check.mock.calls).toEqual([
      ["in", incoming],
      ["out", outgoing],
    ]);
  });

  test("passes errors of the payload and of what runs inside unchanged", async () => {
    const undecodable = new BrokerError("ERR_UNDECODABLE", "not JSON");
    const check = vi.fn(() => undefined);
    const { subscribe } = validate(check);
    const broken = subscribeContext({ payload: () => Promise.reject(undecodable) });
    expect(await failureOf(subscribe(broken, () => expect.unreachable()))).toBe(undecodable);
    expect(check).not.toHaveBeenCalled();
    const error = new Error("no");
    expect(await failureOf(subscribe(subscribeContext(), () => Promise.reject(error)))).toBe(error);
  });

  test("lists ten issues and counts the others", async () => {
    const issues = Array.from({ length: 12 }, (_, index) => `issue ${index}`);
    const error = await failureOf(validate(() => issues).subscribe(subscribeContext(), () => expect.unreachable()));
    expect(error).toMatchObject({ message: expect.stringMatching(/issue 9; and 2 more\.$/), cause: issues });
  });

  test("refuses what says nothing clear", async () => {
    expect(() => validate(undefined as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
    for (const verdict of [{ success: false }, "no", null]) {
      const run = validate(() => verdict as never).subscribe(subscribeContext(), () => expect.unreachable());
      expect(await failureOf(run)).toMatchObject({ code: "ERR_INVALID_OPTION" });
    }
  });
});
