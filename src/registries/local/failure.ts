import { BrokerError, wrapError } from "../../errors.ts";

/** Failures of the file system that trying again does not mend. */
const PERMANENT = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP"]);

/** Wraps what the file system threw as `ERR_REGISTRY`, retryable where trying again may help. */
export function registryFailure(error: unknown, doing: string): BrokerError {
  const code = errorCode(error);
  return wrapError(error, "ERR_REGISTRY", `The local registry could not ${doing}`, {
    retryable: code === undefined || !PERMANENT.has(code),
  });
}

/** A refusal that only a person can resolve; `message` says how. */
export function refusal(message: string): BrokerError {
  return new BrokerError("ERR_REGISTRY", message, { retryable: false });
}

/** The code of a system error, such as `"ENOENT"`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Waits for `work`; a system error with one of these codes is expected, and gives `undefined`. */
export async function expecting<T>(codes: readonly string[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codes.includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}
