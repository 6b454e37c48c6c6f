import type { DriverSubscription, Publication } from "../../../src/driver.ts";
import { wrapDriver, wrapSubscription } from "../../../src/testing/index.ts";
import { type BrokenDriver, onPublish, onRequest, onSubscribe } from "./broken-driver.ts";

const SPLIT = "B a queue splits over members of several brokers, the sum is exact, and free members take turns";

/** Queues that have a first member, whichever driver it came through. */
const favoured = new Set<string>();

/** Drivers that break who gets what. */
export const brokenSubscribing: readonly BrokenDriver[] = [
  {
    does: "delivers a broadcast to one subscriber only",
    caughtBy: "B broadcast: every subscriber of every broker gets every message once",
    saying: /\d+ missing/,
    wrap: (driver) => onRequest(driver, ({ queue = "everybody" }) => ({ queue })),
  },
  {
    does: "gives every member of a queue every message",
    caughtBy: "B two members in one process share a queue",
    saying: /50 duplicated/,
    wrap: (driver) =>
      onRequest(driver, ({ id, queue }) => ({ queue: queue === undefined ? undefined : `${queue}-${id}` })),
  },
  {
    does: "makes a queue of its own in every process",
    caughtBy: SPLIT,
    saying: /200 duplicated/,
    wrap(driver) {
      const process = Math.random();
      return onRequest(driver, ({ queue }) => ({ queue: queue === undefined ? undefined : `${queue}-${process}` }));
    },
  },
  {
    does: "gives the whole queue to one member",
    caughtBy: SPLIT,
    saying: /members equally free got/,
    wrap: (driver) =>
      onRequest(driver, ({ pattern, queue }) => {
        if (queue === undefined || !favoured.has(`${pattern} ${queue}`)) {
          favoured.add(`${pattern} ${queue}`);
          return {};
        }
        return { pattern: `${pattern}.nothing` };
      }),
  },
  {
    does: "lets queues of one name on different topics share",
    caughtBy: "B a queue is its topic plus its name",
    saying: /\d+ missing/,
    wrap(driver) {
      const patterns = new Map<string, string>();
      return onRequest(driver, ({ pattern, queue }) => {
        if (queue === undefined) return {};
        const known = patterns.get(queue) ?? pattern;
        patterns.set(queue, known);
        return { pattern: known };
      });
    },
  },
  {
    does: "resolves subscribe before the subscription holds",
    caughtBy: "B every publish after subscribe resolved is seen",
    saying: /until 1 messages were seen: 0/,
    wrap: (driver) =>
      onSubscribe(driver, async (request) => {
        const later = new Promise<DriverSubscription>((resolve, reject) => {
          setTimeout(() => driver.subscribe(request).then(resolve, reject), 20);
        });
        return {
          stop: async () => (await later).stop(),
          close: async (disconnecting) => (await later).close(disconnecting),
        };
      }),
  },
  {
    does: "shows a new broadcast subscriber the last message before it",
    caughtBy: "B a broadcast subscriber gets nothing from before it subscribed",
    saying: /before/,
    wrap(driver) {
      let last: Publication | undefined;
      const remembering = onPublish(driver, (publication) => {
        last = publication;
        return publication;
      });
      return wrapDriver(remembering, {
        async subscribe(request) {
          const before = last?.topic === request.pattern ? last : undefined;
          const subscription = await driver.subscribe(request);
          if (before !== undefined)
            request.deliver({ ...pick(before), attempt: 1, firstFailureAt: undefined, settle: () => {} });
          return subscription;
        },
      });
    },
  },
  {
    does: "does not create a queue ahead of its first member",
    caughtBy: "B a queue created ahead holds messages for its first member",
    saying: /20 missing/,
    wrap: (driver) =>
      wrapDriver(driver, {
        get queues() {
          return { create: async () => {}, list: async () => driver.queues?.list() ?? [], remove: async () => false };
        },
      }),
  },
  {
    does: "removes a queue with its last member",
    caughtBy: "B a queue keeps its messages while no member is alive",
    saying: /10 missing \(while-gone#0/,
    wrap: (driver) =>
      onSubscribe(driver, async (request) => {
        const subscription = await driver.subscribe(request);
        return wrapSubscription(subscription, {
          async close(disconnecting) {
            await subscription.close(disconnecting);
            if (request.queue !== undefined) await driver.queues?.remove(request.pattern, request.queue);
          },
        });
      }),
  },
  {
    does: "removes a queue when the broker of its last member disconnects",
    caughtBy: "B a queue keeps its messages when the broker of its last member disconnects",
    saying: /10 missing/,
    wrap: (driver) =>
      onSubscribe(driver, async (request) => {
        const subscription = await driver.subscribe(request);
        return wrapSubscription(subscription, {
          async close(disconnecting) {
            await subscription.close(disconnecting);
            if (disconnecting && request.queue !== undefined)
              await driver.queues?.remove(request.pattern, request.queue);
          },
        });
      }),
  },
  {
    does: "ends every subscription to a topic with the first of them",
    caughtBy: "B unsubscribing one keeps the others",
    saying: /20 missing/,
    wrap(driver) {
      const open = new Map<string, DriverSubscription[]>();
      return onSubscribe(driver, async (request) => {
        const subscription = await driver.subscribe(request);
        const siblings = open.get(request.pattern) ?? [];
        siblings.push(subscription);
        open.set(request.pattern, siblings);
        return wrapSubscription(subscription, {
          async stop() {
            for (const sibling of siblings) await sibling.stop();
          },
        });
      });
    },
  },
  {
    does: "hands a subscription four times its prefetch",
    caughtBy: "F a member holds no more than its prefetch: the rest goes to another",
    saying: /until the free member has everything but the prefetch/,
    wrap: (driver) => onRequest(driver, ({ prefetch }) => ({ prefetch: prefetch * 4 })),
  },
  {
    does: "hands a subscription less than its prefetch",
    caughtBy: "F a member holds no more than its prefetch: the rest goes to another",
    saying: /holds fewer messages than its prefetch/,
    wrap: (driver) => onRequest(driver, ({ prefetch }) => ({ prefetch: Math.ceil(prefetch / 2) })),
  },
  {
    does: "says that queues are empty",
    caughtBy: "B queues are listed with members and messages, and removed with what they hold",
    saying: /until both queues are listed/,
    wrap: (driver) =>
      wrapDriver(driver, {
        get queues() {
          const { queues } = driver;
          if (queues === undefined) throw new Error("no queues");
          return { ...queues, list: async () => (await queues.list()).map((info) => ({ ...info, messages: 0 })) };
        },
      }),
  },
];

function pick({
  topic,
  id,
  key,
  header,
  body,
}: Publication): Pick<Publication, "topic" | "id" | "key" | "header" | "body"> {
  return { topic, id, key, header, body };
}
