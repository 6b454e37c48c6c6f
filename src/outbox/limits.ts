import type { BrokerOptions } from "../broker-options.ts";
import type { Outbox } from "./outbox.ts";
import type { OutboxOptions } from "./outbox-options.ts";

/** The defaults of `backlogMessages`, `backlogBytes` and `backlogAgeMs`. */
const DEFAULT_BACKLOG: Readonly<Record<"messages" | "bytes" | "ageMs", number>> = {
  messages: 100_000,
  bytes: 256 * 1024 * 1024,
  ageMs: 24 * 60 * 60 * 1_000,
};

/** An outbox's bounds. */
export type OutboxLimits = Pick<OutboxOptions, "maxMessages" | "maxBytes" | "maxAgeMs" | "whenFull">;

/** An outbox's bounds, from the options of its broker. */
export function outboxLimits(
  options: Pick<BrokerOptions, "backlogMessages" | "backlogBytes" | "backlogAgeMs" | "whenFull">,
): OutboxLimits {
  return {
    maxMessages: options.backlogMessages ?? DEFAULT_BACKLOG.messages,
    maxBytes: options.backlogBytes ?? DEFAULT_BACKLOG.bytes,
    maxAgeMs: options.backlogAgeMs ?? DEFAULT_BACKLOG.ageMs,
    whenFull: options.whenFull ?? "reject",
  };
}

/** Whether an outbox has room for what another left. An empty one has, whatever its bounds: nobody else may come for it. */
export function hasRoom(outbox: Outbox, limits: OutboxLimits, messages: number, bytes: number): boolean {
  if (outbox.messages === 0) return true;
  return outbox.messages + messages <= limits.maxMessages && outbox.bytes + bytes <= limits.maxBytes;
}
