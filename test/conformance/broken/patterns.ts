import { wrapRequest } from "../../../src/testing/index.ts";
import { type BrokenDriver, onDeliver, onRequest, onSubscribe } from "./broken-driver.ts";

/** Drivers with a grammar of patterns of their own. */
export const brokenPatterns: readonly BrokenDriver[] = [
  {
    does: "lets * match several words",
    caughtBy: "G one word: * matches exactly one",
    saying: /deep-equal/,
    wrap: (driver) => onRequest(driver, ({ pattern }) => ({ pattern: pattern.replace(/\.\*$/, ".>") })),
  },
  {
    does: "lets > match one word only",
    caughtBy: "G tail: > matches one or more words",
    saying: /until 3 messages were seen: 1/,
    wrap: (driver) => onRequest(driver, ({ pattern }) => ({ pattern: pattern.replace(/\.>$/, ".*") })),
  },
  {
    does: "matches a * in the middle against any number of words",
    caughtBy: "G middle: * between words matches exactly one",
    saying: /deep-equal/,
    wrap: (driver) => onRequest(driver, ({ pattern }) => ({ pattern: pattern.replace(/\.\*\..*$/, ".>") })),
  },
  {
    does: "lets patterns match dead letters",
    caughtBy: "G topics under dlq. match only patterns that begin with dlq.",
    saying: /dead/,
    wrap: (driver) =>
      onSubscribe(driver, async (request) => {
        const subscription = await driver.subscribe(request);
        if (!request.pattern.startsWith("*.")) return subscription;
        const pattern = request.pattern.replace("*", "dlq");
        const dead = await driver.subscribe(
          wrapRequest(request, { pattern, id: `${request.id}-dlq`, queue: "copies" }),
        );
        return {
          stop: async () => void (await Promise.all([subscription.stop(), dead.stop()])),
          close: async (disconnecting) =>
            void (await Promise.all([subscription.close(disconnecting), dead.close(disconnecting)])),
        };
      }),
  },
  {
    does: "tells the handler the pattern instead of the topic",
    caughtBy: "G overlapping patterns each get a message once, with its concrete topic",
    saying: /the subscription to kit-/,
    wrap: (driver) => onDeliver(driver, (_delivery, { pattern }) => ({ topic: pattern })),
  },
  {
    does: "delivers a message once a process, though several of its patterns match",
    caughtBy: "G overlapping patterns each get a message once, with its concrete topic",
    saying: /until 1 messages were seen: 0/,
    wrap(driver) {
      const seen = new Set<string>();
      return onDeliver(driver, (delivery) => {
        if (!seen.has(delivery.id)) {
          seen.add(delivery.id);
          return {};
        }
        void delivery.settle({ kind: "ack" });
        return undefined;
      });
    },
  },
  {
    does: "matches words without regard to capital letters",
    caughtBy: "C reserved characters in topics map one-to-one",
    saying: /Plain/,
    wrap: (driver) => onRequest(driver, ({ pattern }) => ({ pattern: pattern.replace("Plain", "plain") })),
  },
];
