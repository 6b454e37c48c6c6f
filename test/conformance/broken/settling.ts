import { ACK, type DriverDelivery, type Outcome } from "../../../src/driver.ts";
import { wrapDriver, wrapRequest, wrapSubscription } from "../../../src/testing/index.ts";
import { type BrokenDriver, onDeliver, onRequest, onSettle, onSubscribe, publicationOf } from "./broken-driver.ts";

const GIVEN_BACK = "D a message prefetched and given back costs no attempt, and none is lost";
const SPACED = "E retries are spaced by the backoff, within bounds";

/** Drivers that break what becomes of deliveries. */
export const brokenSettling: readonly BrokenDriver[] = [
  {
    does: "acks before the handler has run",
    caughtBy: "D a message is acked only after its handler succeeded",
    saying: /until the held message counts/,
    wrap: (driver) =>
      onDeliver(driver, (delivery) => {
        void delivery.settle(ACK);
        return { settle: () => {} };
      }),
  },
  {
    does: "acks what was nacked",
    caughtBy: "D a handler that throws nacks: its message comes again, as the next attempt with the same id",
    saying: /until 3 messages were seen: 1/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) => delivery.settle(outcome.kind === "retry" ? ACK : outcome)),
  },
  {
    does: "does not ack",
    caughtBy: "D a handler that returns acks: its message comes once",
    saying: /\d+ duplicated/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) => delivery.settle(outcome.kind === "ack" ? again(delivery, 50) : outcome)),
  },
  {
    does: "swallows a failing ack",
    caughtBy: "D a failing ack surfaces, and the message comes again",
    saying: /until the failed ack was reported/,
    wrap: (driver) => onSettle(driver, (outcome, delivery) => swallow(delivery.settle(outcome))),
  },
  {
    does: "lets ack() resolve before the engine has answered",
    caughtBy: "D a failing ack rejects ack()",
    saying: /accepted instead of failing with ERR_CONNECTION_LOST/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) => {
        void swallow(delivery.settle(outcome));
      }),
  },
  {
    does: "loses what is given back",
    caughtBy: GIVEN_BACK,
    saying: /in vain until 1 messages were seen: 0/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) => delivery.settle(outcome.kind === "release" ? ACK : outcome)),
  },
  {
    does: "counts an attempt for what is given back",
    caughtBy: GIVEN_BACK,
    saying: /only prefetched lost an attempt/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(outcome.kind === "release" ? again(delivery, 0) : outcome),
      ),
  },
  {
    does: "puts what is given back at the end of the line",
    caughtBy: "F with concurrency 1, what a queue held and what was given back comes in order",
    saying: /20 received, \d+ out of order/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) => {
        if (outcome.kind !== "release") return delivery.settle(outcome);
        void delivery.settle(ACK);
        driver.publish([publicationOf(delivery)]);
      }),
  },
  {
    does: "takes messages after stop, and loses them",
    caughtBy: "K fetching stops first: no handler starts once disconnect was called",
    saying: /until 10 messages were seen: 0/,
    wrap: (driver) =>
      onSubscribe(driver, async (request) => {
        let stopped = false;
        const deliver = (delivery: DriverDelivery): void => {
          if (stopped) void delivery.settle(ACK);
          else request.deliver(delivery);
        };
        const subscription = await driver.subscribe(wrapRequest(request, { deliver }));
        return wrapSubscription(subscription, {
          async stop() {
            stopped = true;
          },
        });
      }),
  },
  {
    does: "ignores retry delays",
    caughtBy: SPACED,
    saying: /attempt 2 came \d+ ms after the one before instead of 100 ms/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(outcome.kind === "retry" ? { ...outcome, delayMs: 0 } : outcome),
      ),
  },
  {
    does: "retries far too late",
    caughtBy: SPACED,
    saying: /attempt 2 came \d+ ms after the one before instead of 100 ms/,
    deadlineMs: 15_000,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(outcome.kind === "retry" ? { ...outcome, delayMs: outcome.delayMs * 2 + 1_500 } : outcome),
      ),
  },
  {
    does: "forgets how often a message was tried",
    caughtBy: "E a message that always fails is started exactly maxAttempts times, only in the failing queue",
    saying: /until there are 1 dead letters: there are 0/,
    wrap: (driver) => onDeliver(driver, () => ({ attempt: 1 })),
  },
  {
    does: "holds everything while one message waits for its retry",
    caughtBy: "E a message that waits for its retry holds up no other",
    saying: /deep-equal/,
    deadlineMs: 5_000,
    wrap: (driver) =>
      onRequest(driver, (request) => {
        let blockedUntil = 0;
        return {
          deliver(delivery) {
            const settle = (outcome: Outcome): void | Promise<void> => {
              if (outcome.kind === "retry") blockedUntil = Date.now() + outcome.delayMs + 50;
              return delivery.settle(outcome);
            };
            const hand = (): void => request.deliver({ ...fieldsOf(delivery), settle });
            if (Date.now() >= blockedUntil) hand();
            else setTimeout(hand, blockedUntil - Date.now());
          },
        };
      }),
  },
  {
    does: "retries one subscriber's failure with everybody",
    caughtBy: "E a broadcast subscriber's failure is retried there alone",
    saying: /did not become quiet|2,\s/,
    wrap(driver) {
      let again: NodeJS.Timeout | undefined;
      const republishing = onSettle(driver, (outcome, delivery) => {
        if (outcome.kind !== "retry") return delivery.settle(outcome);
        void delivery.settle(ACK);
        again = setTimeout(() => driver.publish([publicationOf(delivery)]), outcome.delayMs);
      });
      return wrapDriver(republishing, {
        disconnect(deadlineAt) {
          clearTimeout(again);
          return driver.disconnect(deadlineAt);
        },
      });
    },
  },
  {
    does: "adds a header to retries",
    caughtBy: "C a retry carries the same header and body, with nothing added",
    saying: /x-retry/,
    wrap: (driver) =>
      onDeliver(driver, ({ attempt, header }) =>
        attempt === 1 ? {} : { header: Object.assign(Object.create(null), header, { "x-retry": String(attempt) }) },
      ),
  },
  {
    does: "hands a retry to the next member of its queue at once",
    caughtBy: "F orderBy key: draining gives back what waits, with the attempts it has used, and in order",
    saying: /deep-equal/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(outcome.kind === "retry" ? { ...outcome, delayMs: 0 } : outcome),
      ),
  },
];

function again(delivery: DriverDelivery, delayMs: number): Outcome {
  return { kind: "retry", delayMs, attempt: delivery.attempt + 1, firstFailureAt: delivery.firstFailureAt };
}

async function swallow(settled: void | Promise<void>): Promise<void> {
  try {
    await settled;
  } catch {
    // Exactly what a driver must not do.
  }
}

function fieldsOf(delivery: DriverDelivery): Omit<DriverDelivery, "settle"> {
  const { topic, id, key, header, body, attempt, firstFailureAt } = delivery;
  return { topic, id, key, header, body, attempt, firstFailureAt };
}
