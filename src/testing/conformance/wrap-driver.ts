import type { Driver, DriverDelivery, DriverSubscription, Publication, SubscribeRequest } from "../../driver.ts";

/** What a driver may have. */
const OPTIONAL = ["flush", "queues", "deadLetters", "sendsAtOnce", "server"] as const;

/** A driver that does what `driver` does, but for the members given. */
export function wrapDriver<Native>(driver: Driver<Native>, overrides: Partial<Driver<Native>>): Driver<Native> {
  const wrapped: Driver<Native> = {
    get name() {
      return driver.name;
    },
    get capabilities() {
      return driver.capabilities;
    },
    get address() {
      return driver.address;
    },
    get native() {
      return driver.native;
    },
    connect: (context, signal) => driver.connect(context, signal),
    publish: (publications) => driver.publish(publications),
    subscribe: (request) => driver.subscribe(request),
    disconnect: (deadlineAt) => driver.disconnect(deadlineAt),
  };
  // Only what the driver has, and not read before it is connected.
  for (const name of OPTIONAL) {
    if (name in driver)
      Object.defineProperty(wrapped, name, { get: () => bound(driver, name), enumerable: true, configurable: true });
  }
  return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(overrides));
}

function bound(driver: Driver, name: (typeof OPTIONAL)[number]): unknown {
  const member = driver[name];
  return typeof member === "function" ? member.bind(driver) : member;
}

/** A delivery that is what `delivery` is, but for the members given. */
export function wrapDelivery(delivery: DriverDelivery, overrides: Partial<DriverDelivery>): DriverDelivery {
  return {
    topic: delivery.topic,
    id: delivery.id,
    key: delivery.key,
    header: delivery.header,
    body: delivery.body,
    attempt: delivery.attempt,
    firstFailureAt: delivery.firstFailureAt,
    ...(delivery.broken === undefined ? {} : { broken: delivery.broken }),
    ...(delivery.ownBody === undefined || overrides.body !== undefined
      ? {}
      : { ownBody: () => delivery.ownBody?.() ?? delivery.body }),
    settle: (outcome) => delivery.settle(outcome),
    extend: (ms, attempt) => delivery.extend?.(ms, attempt),
    ...overrides,
  };
}

/** A publication that is what `publication` is, but for the members given. */
export function wrapPublication(publication: Publication, overrides: Partial<Publication>): Publication {
  return {
    topic: publication.topic,
    id: publication.id,
    key: publication.key,
    header: publication.header,
    body: publication.body,
    bytes: publication.bytes,
    mandatory: publication.mandatory,
    origin: publication.origin,
    confirm: (state) => publication.confirm(state),
    fail: (error) => publication.fail(error),
    whenAnswered: (listener) => publication.whenAnswered?.(listener),
    giveBackBody: () => publication.giveBackBody?.(),
    ...overrides,
  };
}

/** A request that is what `request` is, but for the members given. */
export function wrapRequest(request: SubscribeRequest, overrides: Partial<SubscribeRequest>): SubscribeRequest {
  return {
    id: request.id,
    pattern: request.pattern,
    queue: request.queue,
    prefetch: request.prefetch,
    ackTimeoutMs: request.ackTimeoutMs,
    maxAttempts: request.maxAttempts,
    deliver: (delivery) => request.deliver(delivery),
    onEnd: (error) => request.onEnd(error),
    ...overrides,
  };
}

/** A subscription that does what `subscription` does, but for the members given. */
export function wrapSubscription(
  subscription: DriverSubscription,
  overrides: Partial<DriverSubscription>,
): DriverSubscription {
  return {
    ...(subscription.takesBack === undefined ? {} : { takesBack: subscription.takesBack }),
    stop: () => subscription.stop(),
    close: (...args) => subscription.close(...args),
    ...overrides,
  };
}
