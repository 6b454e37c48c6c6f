import { type BrokerError, describeError } from "./errors.ts";
import type { Logger } from "./logger.ts";

/** Calls an `onError` hook with an error that no call returns. That the hook itself failed is logged, and changes nothing else. */
export function callErrorHook(onError: (error: BrokerError) => void, error: BrokerError, logger: Logger): void {
  try {
    onError(error);
  } catch (thrown) {
    logger.error({ error: thrown }, `The onError hook failed: ${describeError(thrown)}`);
  }
}
