import type { Publication } from "../../../src/driver.ts";
import { wrapDelivery, wrapDriver, wrapPublication, wrapRequest } from "../../../src/testing/index.ts";
import { type BrokenDriver, onPublish, publicationOf } from "./broken-driver.ts";

const SMALL_LOAD = "B the small load arrives whole, at a queue and at a broadcast subscriber";

/** Drivers that break what publishers are promised. */
export const brokenPublishing: readonly BrokenDriver[] = [
  {
    does: "loses one message in seventeen",
    caughtBy: SMALL_LOAD,
    saying: /missing \(one#16/,
    wrap(driver) {
      let count = 0;
      return onPublish(driver, (publication) => {
        count += 1;
        if (count % 17 !== 0) return publication;
        publication.confirm("accepted");
        return undefined;
      });
    },
  },
  {
    does: "sends one message in seventeen twice",
    caughtBy: SMALL_LOAD,
    saying: /4 duplicated/,
    wrap(driver) {
      let count = 0;
      return onPublish(driver, (publication) => {
        count += 1;
        if (count % 17 === 0) driver.publish([publicationOf(publication)]);
        return publication;
      });
    },
  },
  {
    does: "says accepted whatever happened",
    caughtBy: "B receipts say truly who has the message",
    saying: /nobody was there to accept/,
    wrap: (driver) =>
      onPublish(driver, (publication) =>
        wrapPublication(publication, { confirm: () => publication.confirm("accepted") }),
      ),
  },
  {
    does: "ignores mandatory",
    caughtBy: "B mandatory is ERR_NO_SUBSCRIBERS when nobody wants the message",
    saying: /accepted instead of failing with ERR_NO_SUBSCRIBERS/,
    wrap: (driver) => onPublish(driver, (publication) => wrapPublication(publication, { mandatory: false })),
  },
  {
    does: "confirms only when the handler has returned",
    caughtBy: "B a handler that publishes to its own topic with concurrency 1 does not deadlock",
    saying: /did not end within/,
    wrap(driver) {
      const held = new Map<string, Publication>();
      return wrapDriver(driver, {
        publish: (publications) =>
          driver.publish(
            publications.map((publication) =>
              wrapPublication(publication, { confirm: () => held.set(publication.id, publication) }),
            ),
          ),
        subscribe: (request) =>
          driver.subscribe(
            wrapRequest(request, {
              deliver: (delivery) =>
                request.deliver(
                  wrapDelivery(delivery, {
                    settle(outcome) {
                      held.get(delivery.id)?.confirm("accepted");
                      return delivery.settle(outcome);
                    },
                  }),
                ),
            }),
          ),
      });
    },
  },
  {
    does: "sends each batch in reverse",
    caughtBy:
      "F with concurrency 1, messages of each publisher come in order, to a queue and to a broadcast subscriber",
    saying: /200 received, \d+ out of order/,
    wrap: (driver) => wrapDriver(driver, { publish: (publications) => driver.publish(publications.toReversed()) }),
  },
  {
    does: "loses the order of a batch's answers",
    caughtBy: "F a batch is answered message by message, in order, and arrives in order",
    saying: /deep-equal/,
    wrap: (driver) =>
      wrapDriver(driver, {
        publish(publications) {
          for (const publication of publications.toReversed()) driver.publish([publication]);
        },
      }),
  },
  {
    does: "makes up ids of its own",
    caughtBy: "B a delivery carries the id and key that were published",
    saying: /own-1/,
    wrap(driver) {
      let count = 0;
      return onPublish(driver, (publication) => {
        count += 1;
        return wrapPublication(publication, { id: `own-${count}` });
      });
    },
  },
  {
    does: "forgets keys",
    caughtBy: "B a delivery carries the id and key that were published",
    saying: /undefined/,
    wrap: (driver) => onPublish(driver, (publication) => wrapPublication(publication, { key: undefined })),
  },
  {
    does: "confirms before it sends, and disconnects without sending the rest",
    caughtBy: "K what was published before disconnect reaches live targets",
    saying: /50 missing/,
    wrap(driver) {
      const timers = new Set<NodeJS.Timeout>();
      return wrapDriver(driver, {
        publish(publications) {
          for (const publication of publications) publication.confirm("accepted");
          const timer = setTimeout(() => {
            timers.delete(timer);
            driver.publish(publications.map((publication) => publicationOf(publication)));
          }, 20);
          timers.add(timer);
        },
        disconnect(deadlineAt) {
          for (const timer of timers) clearTimeout(timer);
          return driver.disconnect(deadlineAt);
        },
      });
    },
  },
];
