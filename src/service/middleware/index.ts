/** Middleware for services: `service.use(logging(), timeout(5_000), dedupe())`. The first one used is outermost. */
export type { Clock, Timer } from "../../internal/clock.ts";
export type { BothSides, Side } from "./both-sides.ts";
export type { CircuitState } from "./circuit.ts";
export {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitChange,
  circuitBreaker,
} from "./circuit-breaker.ts";
export { type DedupeOptions, dedupe } from "./dedupe.ts";
export type { ClaimResult, DedupeStore } from "./dedupe-store.ts";
export { type LoggedMessage, type LoggingOptions, logging } from "./logging.ts";
export { type MemoryDedupeStore, type MemoryDedupeStoreOptions, memoryDedupeStore } from "./memory-dedupe-store.ts";
export { type RateLimitOptions, rateLimit } from "./rate-limit.ts";
export { type RetryOptions, retry } from "./retry.ts";
export { type TimeoutOptions, timeout } from "./timeout.ts";
export { type PayloadCheck, type Verdict, validate } from "./validate.ts";
