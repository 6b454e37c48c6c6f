import type { Outbox } from "./outbox.ts";

/** How many places an error names. */
const MAX_NAMED = 5;

/** What an outbox still keeps, and for whom, in words: for the error that says what was given up. */
export function leftBehind(outbox: Outbox): string {
  const parts: string[] = [];
  for (const { size, kind, pattern, queue } of outbox.lanes.all()) {
    if (size === 0) continue;
    if (kind === "standing") parts.push(`${size} dead in ${pattern}`);
    else if (kind === "queue") parts.push(`${size} for the queue ${queue} of ${pattern}`);
    else parts.push(`${size} for a subscriber of ${pattern}`);
  }
  for (const [topic, count] of outbox.unwanted) parts.push(`${count} on ${topic}, which nobody subscribes to`);
  const named = parts.slice(0, MAX_NAMED);
  if (parts.length > MAX_NAMED) named.push(`and more in ${parts.length - MAX_NAMED} other places`);
  return named.length === 0 ? "" : ` (${named.join("; ")})`;
}
