import type { BrokerOptions } from "../broker-options.ts";
import type { OutboxOptions } from "./outbox.ts";

/** The defaults of `backlogMessages`, `backlogBytes` and `backlogAgeMs`. */
const DEFAULT_BACKLOG: Readonly<Record<"messages" | "bytes" | "ageMs", number>> = {
  messages: 100_000,
  bytes: 256 * 1024 * 1024,
  ageMs: 24 * 60 * 60 * 1_000,
};

/** An outbox's bounds, from the options of its broker. */
export function outboxLimits(
  options: BrokerOptions,
): Pick<OutboxOptions, "maxMessages" | "maxBytes" | "maxAgeMs" | "whenFull"> {
  return {
    maxMessages: options.backlogMessages ?? DEFAULT_BACKLOG.messages,
    maxBytes: options.backlogBytes ?? DEFAULT_BACKLOG.bytes,
    maxAgeMs: options.backlogAgeMs ?? DEFAULT_BACKLOG.ageMs,
    whenFull: options.whenFull ?? "reject",
  };
}
