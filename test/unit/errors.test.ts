import { describe, expect, test } from "vitest";
import { BrokerError, describeError, isFinal, NonRetryableError, wrapError } from "../../src/errors.ts";

describe("BrokerError", () => {
  test("carries the table's values for its code unless told otherwise", () => {
    const error = new BrokerError("ERR_BACKLOG_FULL", "full", { topic: "t" });
    expect(error).toMatchObject({
      name: "BrokerError",
      code: "ERR_BACKLOG_FULL",
      retryable: true,
      scope: "message",
      topic: "t",
    });
    expect(new BrokerError("ERR_BACKLOG_FULL", "full", { retryable: false, scope: "connection" })).toMatchObject({
      retryable: false,
      scope: "connection",
    });
  });

  test("instanceof survives a second copy of the package, and is not fooled by strangers", () => {
    const brand = Symbol.for("tidings.BrokerError");
    expect(Object.assign(new Error("from another copy"), { [brand]: true })).toBeInstanceOf(BrokerError);
    expect(new Error("a stranger")).not.toBeInstanceOf(BrokerError);
    expect(null).not.toBeInstanceOf(BrokerError);
    expect(new NonRetryableError("final")).toBeInstanceOf(NonRetryableError);
    expect(new Error("a stranger")).not.toBeInstanceOf(NonRetryableError);
  });

  test("is wrapped once, and keeps what was underneath", () => {
    const inner = new BrokerError("ERR_BACKLOG_FULL", "full");
    expect(wrapError(inner, "ERR_DRIVER", "publishing")).toBe(inner);
    const cause = new TypeError("native");
    expect(wrapError(cause, "ERR_DRIVER", "publishing", { driver: "x" })).toMatchObject({
      code: "ERR_DRIVER",
      message: "publishing: native",
      cause,
      driver: "x",
    });
  });

  test("knows which errors make further attempts useless", () => {
    expect(isFinal(new NonRetryableError("x"))).toBe(true);
    expect(isFinal(new BrokerError("ERR_UNDECODABLE", "x"))).toBe(true);
    expect(isFinal(new Error("x"))).toBe(false);
    expect(isFinal("x")).toBe(false);
  });

  test("describes whatever was thrown", () => {
    expect(describeError(new Error("why"))).toBe("why");
    expect(describeError(new RangeError(""))).toBe("RangeError");
    expect(describeError(undefined)).toBe("undefined");
    expect(describeError(Symbol("why"))).toBe("Symbol(why)");
  });

  test("describes what has no text of its own, or none that is a text", () => {
    expect(describeError(Object.create(null))).toBe("[object Object]");
    expect(describeError(Object.assign(new Error("x"), { message: 42 }))).toBe("42");
    expect(describeError(Object.assign(new Error("x"), { message: Object.create(null) }))).toBe("[object Object]");
    const unreadable = Object.defineProperty(new Error("x"), "message", {
      get() {
        throw new Error("no");
      },
    });
    expect(describeError(unreadable)).toBe("[object Error]");
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(describeError(proxy)).toBe("what cannot be shown");
  });
});
