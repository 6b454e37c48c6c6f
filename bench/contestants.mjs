// Who takes part: the two sides of each, loaded in processes of their own.

/** What ratios are taken to: what HTTP costs with a request for each message, and what a bare connection costs. */
export const BASELINES = ["undici-post", "raw-tcp"];

/** The contestants by name. `inFlight`: publishes, or requests, that are under way at once. */
export const CONTESTANTS = {
  memory: { inFlight: 2_000, load: () => import("./memory.mjs") },
  http: { inFlight: 2_000, load: () => import("./http.mjs") },
  "undici-post": { inFlight: 64, load: () => import("./undici-post.mjs") },
  "raw-tcp": { inFlight: 2_000, load: () => import("./raw-tcp.mjs") },
  moleculer: { inFlight: 2_000, load: () => import("./peers/moleculer.mjs") },
  axon: { inFlight: 2_000, load: () => import("./peers/axon.mjs") },
};

/** Handlers at once in a receiver. */
export const CONCURRENCY = 256;
