import type { ErrorCode } from "../../error-codes.ts";

/** How a check came out. A `warning` works, but not as well as it could; a `failure` does not work. */
type FindingStatus = "ok" | "warning" | "failure";

/** What one check of `tidings doctor` found. */
export interface Finding {
  /** What was looked at, in a word or two; the same in every release. */
  readonly check: string;
  readonly status: FindingStatus;
  /** What was found. */
  readonly message: string;
  /** What to do about it. */
  readonly advice?: string;
  /** The code of the error behind a failure. */
  readonly code?: ErrorCode;
}
