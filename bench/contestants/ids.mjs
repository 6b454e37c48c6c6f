// Ids of messages that are sent without Tidings: unique, as long as its own, and as cheap.
import { randomUUID } from "node:crypto";

const SHARED = randomUUID().slice(0, 24);
let count = 0;

/** An id that no other message has. */
export function nextId() {
  count += 1;
  return SHARED + count.toString(16).padStart(12, "0");
}
