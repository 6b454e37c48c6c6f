import type {
  Driver,
  DriverDelivery,
  DriverSubscription,
  Outcome,
  Publication,
  SubscribeRequest,
} from "../../../src/driver.ts";
import { wrapDelivery, wrapDriver, wrapPublication, wrapRequest } from "../../../src/testing/index.ts";

/** A driver that keeps every promise but one, and the check that must notice. */
export interface BrokenDriver {
  /** What it does wrong. */
  readonly does: string;
  /** The name of the check meant for it. */
  readonly caughtBy: string;
  /** What that check says then: it must fail for the right reason. */
  readonly saying: RegExp;
  /** How long that check waits before it fails, in milliseconds. Default 1,000. */
  readonly deadlineMs?: number;
  wrap(driver: Driver): Driver;
}

/** Changes what is published; `undefined` loses the message. */
export function onPublish(driver: Driver, change: (publication: Publication) => Publication | undefined): Driver {
  return wrapDriver(driver, {
    publish: (publications) => driver.publish(publications.flatMap((publication) => change(publication) ?? [])),
  });
}

/** Changes what is asked for when subscribing. */
export function onRequest(driver: Driver, change: (request: SubscribeRequest) => Partial<SubscribeRequest>): Driver {
  return wrapDriver(driver, { subscribe: (request) => driver.subscribe(wrapRequest(request, change(request))) });
}

/** Changes what is delivered; `undefined` keeps it from the subscription. */
export function onDeliver(
  driver: Driver,
  change: (delivery: DriverDelivery, request: SubscribeRequest) => Partial<DriverDelivery> | undefined,
): Driver {
  return onRequest(driver, (request) => ({
    deliver(delivery) {
      const changed = change(delivery, request);
      if (changed !== undefined) request.deliver(wrapDelivery(delivery, changed));
    },
  }));
}

/** Changes how deliveries are settled. */
export function onSettle(
  driver: Driver,
  settle: (outcome: Outcome, delivery: DriverDelivery, request: SubscribeRequest) => void | Promise<void>,
): Driver {
  return onDeliver(driver, (delivery, request) => ({ settle: (outcome) => settle(outcome, delivery, request) }));
}

/** Changes what becomes of subscriptions. */
export function onSubscribe(
  driver: Driver,
  change: (request: SubscribeRequest) => Promise<DriverSubscription>,
): Driver {
  return wrapDriver(driver, { subscribe: change });
}

/** A publication of one's own, which nobody waits for. */
export function publicationOf(
  message: Pick<Publication, "topic" | "id" | "key" | "header" | "body">,
  overrides: Partial<Publication> = {},
): Publication {
  const bare: Publication = {
    ...{ topic: message.topic, id: message.id, key: message.key, header: message.header, body: message.body },
    bytes: message.body.byteLength,
    mandatory: false,
    origin: undefined,
    confirm: () => {},
    fail: () => {},
  };
  return wrapPublication(bare, overrides);
}
