import assert from "node:assert/strict";
import type { ErrorCode } from "../../error-codes.ts";
import { BrokerError } from "../../errors.ts";

/** Asserts that a call throws, or rejects with, a `BrokerError` of this code, and resolves with the error. */
export async function rejectsWith(code: ErrorCode, what: string, call: () => unknown): Promise<BrokerError> {
  const error = await caught(call);
  assert.ok(error !== undefined, `${what} was accepted instead of failing with ${code}`);
  assert.ok(
    error.thrown instanceof BrokerError,
    `${what} failed with ${String(error.thrown)} instead of a BrokerError ${code}`,
  );
  assert.equal(
    error.thrown.code,
    code,
    `${what} failed with ${error.thrown.code} (${error.thrown.message}) instead of ${code}`,
  );
  return error.thrown;
}

/** What a call throws or rejects with, wrapped so that `undefined` can be thrown too; `undefined` when it succeeds. */
export async function caught(call: () => unknown): Promise<{ readonly thrown: unknown } | undefined> {
  try {
    await call();
    return undefined;
  } catch (thrown) {
    return { thrown };
  }
}
