import { deadLetterHeader } from "../../../src/dead-letter.ts";
import { ACK, type DeadLetterAdmin, type Driver } from "../../../src/driver.ts";
import { wrapDriver } from "../../../src/testing/index.ts";
import { isDeadLetterTopic, isPattern } from "../../../src/topics.ts";
import { type BrokenDriver, onDeliver, onSettle, publicationOf } from "./broken-driver.ts";

const REDRIVE = "E redrive reaches the queue that failed only, once, from attempt 1, as it was published";
const COMPLETE = "E a dead letter is complete: every header and byte, why, where, when and how often";

/** Drivers that break what is promised of dead letters. */
export const brokenDeadLetters: readonly BrokenDriver[] = [
  {
    does: "acks a message before its dead letter is confirmed",
    caughtBy: "E a dead letter that cannot be written keeps the message until it can",
    saying: /until writing the dead letter failed twice/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery, request) => {
        if (outcome.kind !== "dead" || outcome.to === false) return delivery.settle(outcome);
        void delivery.settle(ACK);
        const header = deadLetterHeader(delivery.header, delivery.topic, request.queue, outcome);
        const origin = { pattern: request.pattern, queue: request.queue, subscriptionId: request.id };
        driver.publish([publicationOf({ ...contentOf(delivery), topic: outcome.to, header }, { origin })]);
      }),
  },
  {
    does: "throws away what failed for good",
    caughtBy: "E reject skips the retries",
    saying: /until there are 1 dead letters: there are 0/,
    wrap: (driver) => onSettle(driver, (outcome, delivery) => delivery.settle(outcome.kind === "dead" ? ACK : outcome)),
  },
  {
    does: "does not say why a message failed",
    caughtBy: COMPLETE,
    saying: /always fails/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(outcome.kind === "dead" ? { ...outcome, reason: "" } : outcome),
      ),
  },
  {
    does: "forgets when a message failed first",
    caughtBy: COMPLETE,
    saying: /the first failure was not before the last/,
    wrap: (driver) => onDeliver(driver, () => ({ firstFailureAt: undefined })),
  },
  {
    does: "loses the headers of dead letters",
    caughtBy: COMPLETE,
    saying: /deep-equal/,
    wrap: (driver) =>
      onAdmin(driver, (admin) => ({
        list: async (topic) => (await admin.list(topic)).map((letter) => ({ ...letter, header: {} })),
      })),
  },
  {
    does: "deduplicates dead letters by the id of their message",
    caughtBy: "E two queues that fail one message make two dead letters",
    saying: /until there are 2 dead letters: there are 1/,
    wrap(driver) {
      const seen = new Set<string>();
      return onSettle(driver, (outcome, delivery) => {
        if (outcome.kind !== "dead") return delivery.settle(outcome);
        const known = seen.has(delivery.id);
        seen.add(delivery.id);
        return delivery.settle(known ? ACK : outcome);
      });
    },
  },
  {
    does: "always writes dead letters to dlq.",
    caughtBy: "E deadLetter names another topic",
    saying: /until 1 messages were seen: 0/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(outcome.kind === "dead" ? { ...outcome, to: `dlq.${delivery.topic}` } : outcome),
      ),
  },
  {
    does: "throws away a dead letter whose reader failed",
    caughtBy: "E a dead letter whose reader fails stays, and makes no dead letter of its own",
    saying: /until 4 messages were seen: 1/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(isDeadLetterTopic(delivery.topic) && outcome.kind !== "release" ? ACK : outcome),
      ),
  },
  {
    does: "lets readers of copies take the dead letter away",
    caughtBy: "E a named queue and a pattern get copies of dead letters and leave the standing queue untouched",
    saying: /until there are 1 dead letters: there are 0/,
    wrap: (driver) =>
      onSettle(driver, async (outcome, delivery, request) => {
        await delivery.settle(outcome);
        const copy = request.queue !== undefined || isPattern(request.pattern);
        if (copy && isDeadLetterTopic(delivery.topic))
          await driver.deadLetters?.drop(delivery.topic, { ids: new Set([delivery.id]) });
      }),
  },
  {
    does: "redrives to everybody",
    caughtBy: REDRIVE,
    saying: /redrive reached a subscription that had succeeded/,
    wrap: (driver) =>
      onAdmin(driver, (admin) => ({
        async redrive(topic, options) {
          const letters = await admin.list(topic);
          await admin.drop(topic, options);
          driver.publish(letters.map((letter) => publicationOf({ ...letter, key: undefined })));
          return letters.length;
        },
      })),
  },
  {
    does: "redrives and keeps the dead letter",
    caughtBy: REDRIVE,
    saying: /deep-equal/,
    wrap(driver) {
      const kept = new Map<string, Awaited<ReturnType<DeadLetterAdmin["list"]>>>();
      return onAdmin(driver, (admin) => ({
        list: async (topic) => [...(kept.get(topic) ?? []), ...(await admin.list(topic))],
        async redrive(topic, options) {
          kept.set(topic, await admin.list(topic));
          return admin.redrive(topic, options);
        },
      }));
    },
  },
  {
    does: "redrives everything whatever the id",
    caughtBy: "E redrive by id sends that one, back to a queue without a live member",
    saying: /3 !== 1/,
    wrap: (driver) => onAdmin(driver, (admin) => ({ redrive: (topic) => admin.redrive(topic, {}) })),
  },
  {
    does: "drops everything whatever the id",
    caughtBy: "E dead letters are dropped by their ids, or all of a topic",
    saying: /5 !== 1/,
    wrap: (driver) => onAdmin(driver, (admin) => ({ drop: (topic) => admin.drop(topic, {}) })),
  },
  {
    does: "spins on a message that cannot be decoded",
    caughtBy: "C a body that json() refuses becomes a dead letter at once, and holds up nobody",
    saying: /until there are 1 dead letters: there are 0/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) =>
        delivery.settle(
          outcome.kind === "dead" ? { kind: "retry", delayMs: 5, attempt: 1, firstFailureAt: undefined } : outcome,
        ),
      ),
  },
];

function contentOf({ id, key, body }: { id: string; key: string | undefined; body: Uint8Array }): {
  id: string;
  key: string | undefined;
  body: Uint8Array;
} {
  return { id, key, body };
}

function onAdmin(driver: Driver, change: (admin: DeadLetterAdmin) => Partial<DeadLetterAdmin>): Driver {
  return wrapDriver(driver, {
    get deadLetters() {
      const admin = driver.deadLetters;
      if (admin === undefined) throw new Error("no dead letters");
      return { ...admin, ...change(admin) };
    },
  });
}
