import { check } from "../../check-options.ts";
import { type Clock, systemClock } from "../../internal/clock.ts";
import type { ClaimResult, DedupeStore } from "./dedupe-store.ts";
import { checkMiddlewareOptions } from "./options.ts";

/** Options of {@link memoryDedupeStore}. */
export interface MemoryDedupeStoreOptions {
  /** How many handled messages are remembered; beyond that the oldest is forgotten. Default 100,000, about 20 MB. */
  maxEntries?: number | undefined;
  /** Where the time comes from. Default the system's clock. */
  clock?: Clock | undefined;
}

/** A {@link DedupeStore} that shows how full it is. */
export interface MemoryDedupeStore extends DedupeStore {
  /** How many handled messages are remembered, those that expired but were not looked at since counted: at most `maxEntries`. */
  readonly size: number;
  /** How many claims are held. */
  readonly claims: number;
  /** As in the contract, at once. */
  claim(key: string, token: string, claimTtlMs: number): ClaimResult;
  /** As in the contract, at once. */
  confirm(key: string, token: string, ttlMs: number): void;
  /** As in the contract, at once. */
  release(key: string, token: string): void;
}

/**
 * A store in the memory of this process, bounded and without timers. Claims do not count towards `maxEntries`: there are as many
 * as handlers run.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function memoryDedupeStore(options: MemoryDedupeStoreOptions = {}): MemoryDedupeStore {
  checkMiddlewareOptions("memoryDedupeStore", options, { maxEntries: check.count, clock: check.object });
  const { maxEntries = 100_000, clock = systemClock } = options;
  // Both in order of entry, which with one TTL is the order of expiry.
  const claims = new Map<string, { readonly token: string; readonly expiresAt: number }>();
  const done = new Map<string, { readonly expiresAt: number }>();

  const forgetExpired = (now: number) => {
    for (const entries of [claims, done]) {
      for (const [key, { expiresAt }] of entries) {
        if (expiresAt > now) break;
        entries.delete(key);
      }
    }
  };
  const end = (key: string, token: string) => {
    if (claims.get(key)?.token === token) claims.delete(key);
  };

  return {
    get size() {
      return done.size;
    },
    get claims() {
      return claims.size;
    },
    claim(key, token, claimTtlMs) {
      const now = clock.now();
      forgetExpired(now);
      // Behind one that lives longer, an expired one is still there.
      if ((done.get(key)?.expiresAt ?? 0) > now) return "done";
      if ((claims.get(key)?.expiresAt ?? 0) > now) return "running";
      claims.delete(key);
      claims.set(key, { token, expiresAt: now + claimTtlMs });
      return "claimed";
    },
    confirm(key, token, ttlMs) {
      const now = clock.now();
      end(key, token);
      done.delete(key);
      done.set(key, { expiresAt: now + ttlMs });
      forgetExpired(now);
      for (const oldest of done.keys()) {
        if (done.size <= maxEntries) break;
        done.delete(oldest);
      }
    },
    release: end,
  };
}
