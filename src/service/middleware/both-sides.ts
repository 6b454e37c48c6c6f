import type { PublishMiddleware, SubscribeMiddleware } from "../middleware.ts";

/**
 * A middleware for both sides, as `service.use` takes it. To have one side only, pick it:
 * `service.use({ publish: rateLimit({ perSecond: 50 }).publish })`. Neither side needs the object to be called on.
 */
export interface BothSides {
  /** Runs around every handler. */
  readonly subscribe: SubscribeMiddleware;
  /** Runs around every publish. */
  readonly publish: PublishMiddleware;
}

/** Which side of a service a middleware works on. */
export type Side = keyof BothSides;
