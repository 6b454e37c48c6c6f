import { channel } from "node:diagnostics_channel";

type Channel = ReturnType<typeof channel>;

/**
 * The one seam for observability: `node:diagnostics_channel` channels. Each message is an object with at least `broker`
 * (the driver's name); nothing is built while nobody listens.
 *
 * - `tidings:publish` `{ topic, id, state }` or `{ topic, id, error }`: a publish was answered.
 * - `tidings:deliver` `{ topic, id, queue, attempt }`: a handler starts.
 * - `tidings:settle` `{ topic, id, queue, attempt, outcome }`: what becomes of a delivery. `ack`; `retry`; `release`: given back
 *   without an attempt counted; `dead`: it became a dead letter, or is given up.
 * - `tidings:give-up` `{ topic, id, queue, reason }`: a message was given up.
 * - `tidings:status` `{ status, error }`: the broker's status changed.
 * - `tidings:error` `{ error }`: an error that no call returned.
 */
export const channels: Readonly<Record<"publish" | "deliver" | "settle" | "giveUp" | "status" | "error", Channel>> = {
  publish: channel("tidings:publish"),
  deliver: channel("tidings:deliver"),
  settle: channel("tidings:settle"),
  giveUp: channel("tidings:give-up"),
  status: channel("tidings:status"),
  error: channel("tidings:error"),
};
