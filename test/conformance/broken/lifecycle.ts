import { wrapDriver, wrapSubscription } from "../../../src/testing/index.ts";
import { type BrokenDriver, onSubscribe } from "./broken-driver.ts";

const never = new Promise<never>(() => {});

/** Drivers that begin or end badly. */
export const brokenLifecycle: readonly BrokenDriver[] = [
  {
    does: "keeps a timer alive after disconnect",
    caughtBy: "A after disconnect no timer or socket keeps the process alive",
    saying: /left over: Timeout/,
    wrap: (driver) =>
      wrapDriver(driver, {
        async connect(context, signal) {
          await driver.connect(context, signal);
          // Ends some time after the check has given up, so that the test's own process can end.
          setTimeout(() => {}, 5_000);
        },
      }),
  },
  {
    does: "waits for ever when a subscription is closed",
    caughtBy: "A disconnect and unsubscribe can be called twice, also at once",
    saying: /did not end within/,
    wrap: (driver) =>
      onSubscribe(driver, async (request) => wrapSubscription(await driver.subscribe(request), { close: () => never })),
  },
  {
    does: "waits for ever when it disconnects",
    caughtBy: "A publish and subscribe after disconnect are ERR_NOT_CONNECTED",
    saying: /did not end within/,
    wrap: (driver) => wrapDriver(driver, { disconnect: () => never }),
  },
  {
    does: "declares what it does not do",
    caughtBy: "A connects, says what it is, and closes",
    saying: /declare different capabilities/,
    wrap: (driver) =>
      wrapDriver(driver, {
        get capabilities() {
          return { ...driver.capabilities, durable: true };
        },
      }),
  },
  {
    does: "fails when subscriptions come and go at once",
    caughtBy: "A ten subscribes and unsubscribes at once leave everything whole",
    saying: /busy/,
    wrap(driver) {
      let opening = 0;
      return onSubscribe(driver, async (request) => {
        opening += 1;
        try {
          if (opening > 3) throw new Error("busy");
          await new Promise((resolve) => setTimeout(resolve, 5));
          return await driver.subscribe(request);
        } finally {
          opening -= 1;
        }
      });
    },
  },
  {
    does: "drops what an iterator did not take",
    caughtBy: "A disconnect ends an unread iterator and gives its messages back",
    saying: /until 5 messages were seen/,
    wrap: (driver) =>
      onSubscribe(driver, async (request) => {
        const subscription = await driver.subscribe(request);
        return wrapSubscription(subscription, {
          async stop() {
            await subscription.stop();
            if (request.queue !== undefined) await driver.queues?.remove(request.pattern, request.queue);
          },
        });
      }),
  },
];
