/**
 * What became of a claim.
 * - `claimed`: it is this caller's; the message may be handled.
 * - `running`: somebody else holds it.
 * - `done`: the message has been handled.
 */
export type ClaimResult = "claimed" | "running" | "done";

/**
 * Remembers which messages have been handled, for {@link dedupe}. A store that several processes share makes them handle each
 * message of a queue once between them. Everything may be called concurrently. A method that fails throws or rejects, with any
 * error.
 */
export interface DedupeStore {
  /**
   * Claims a key, in one step that no other claim can come between, unless it is done or somebody's claim on it holds.
   * @param key one message in one subscription: text, as a rule under 300 bytes, never over 4 KiB
   * @param token the caller, unlike any other
   * @param claimTtlMs how long the claim holds without `confirm` or `release`, in milliseconds: over the life of the process
   */
  claim(key: string, token: string, claimTtlMs: number): ClaimResult | Promise<ClaimResult>;
  /** The key is done, for `ttlMs` milliseconds from now, whoever has a claim on it by now. The caller's own claim ends. */
  confirm(key: string, token: string, ttlMs: number): void | Promise<void>;
  /** Ends the claim that this token holds on the key. Another's claim, and a key that is done, stay as they are. */
  release(key: string, token: string): void | Promise<void>;
}
