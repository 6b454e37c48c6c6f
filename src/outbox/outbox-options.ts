import type { GivenUp } from "../driver.ts";
import type { Clock } from "../internal/clock.ts";
import type { BacklogLimits } from "./backlog.ts";
import type { Journal } from "./journal.ts";

/** What an outbox needs to know. A publish beyond the bounds fails or waits; dead letters and retries always fit. */
export interface OutboxOptions extends BacklogLimits {
  readonly clock: Clock;
  /** How long a message is kept that no member has, in milliseconds. */
  readonly maxAgeMs: number;
  /** Whether messages that nobody wants are kept for the first subscriber. Dead letters always are. */
  readonly keepsUnwanted: boolean;
  /**
   * Whether a message goes to all its destinations before the next goes to any, also where they were published together: its
   * carriers send a message once to several destinations. Default false.
   */
  readonly oneByOne?: boolean;
  /** Where messages are written down before anybody gets them. Without one they are in memory only. */
  readonly journal?: Journal | undefined;
  /** Called once the message is gone: who hears of it may publish at once, and finds its room. */
  onGiveUp(message: GivenUp): void;
}
