import { ACK, type Driver, type DriverContext, type Publication } from "../../../src/driver.ts";
import { BrokerError } from "../../../src/errors.ts";
import { wrapDelivery, wrapDriver, wrapPublication, wrapRequest } from "../../../src/testing/index.ts";
import type { FakeEngine } from "../fake-engine-harness.ts";
import { type BrokenDriver, onDeliver, onPublish, onRequest, onSettle } from "./broken-driver.ts";

/** A driver over a line that can break, which keeps every promise but one. */
export type BrokenLine = Omit<BrokenDriver, "wrap"> & { wrap(driver: Driver, engine: FakeEngine): Driver };

const STATUS = "J the status goes from connected to reconnecting and back, with the last error";
const CUT = "J the connection is cut again and again: what was sent and acknowledged is received";
const RESTORED = "J once a broker is connected again, everything on it is restored";
const WAITS = "J publishes made while the connection is down wait, and go out in order when it is back";
const SILENT = "J the connection goes silent: that is noticed, and what was sent and acknowledged is received";

/** Drivers that break what becomes of a lost connection. */
export const brokenResilience: readonly BrokenLine[] = [
  {
    does: "gives back bodies as soon as it has them",
    caughtBy: "J large bodies arrive as they were sent over connections that break while they are on their way",
    saying: /arrived changed/,
    wrap: (driver) =>
      onPublish(driver, (publication) => {
        queueMicrotask(() => publication.giveBackBody?.());
        return publication;
      }),
  },
  {
    does: "does not say that its connection is lost",
    caughtBy: STATUS,
    saying: /until the broker is reconnecting: it is connected/,
    wrap: (driver) => onContext(driver, () => ({ onDown: () => {} })),
  },
  {
    does: "does not say that its connection is back",
    caughtBy: STATUS,
    saying: /until the broker is connected: it is reconnecting/,
    wrap: (driver) => onContext(driver, () => ({ onUp: () => {} })),
  },
  {
    does: "has no code for a lost connection",
    caughtBy: STATUS,
    saying: /ERR_DRIVER/,
    wrap: (driver) =>
      onContext(driver, ({ onDown }) => ({ onDown: () => onDown(new BrokerError("ERR_DRIVER", "Something broke.")) })),
  },
  {
    does: "says that its connection is back before it is",
    caughtBy: "J publishes beyond the buffer are ERR_BACKLOG_FULL while the connection is down",
    saying: /until the broker is reconnecting/,
    wrap: (driver) =>
      onContext(driver, ({ onDown, onUp }) => ({
        onDown(error) {
          onDown(error);
          onUp();
        },
      })),
  },
  {
    does: "sends what has waited in the wrong order",
    caughtBy: WAITS,
    saying: /out of order/,
    wrap: (driver) => wrapDriver(driver, { publish: (publications) => driver.publish([...publications].reverse()) }),
  },
  {
    does: "confirms what has waited, and loses it",
    caughtBy: WAITS,
    saying: /in vain until everything sent was received/,
    wrap: losesWhatHasWaited,
  },
  {
    does: 'loses what has waited beyond the buffer with whenFull "wait"',
    caughtBy: 'J with whenFull "wait", publishes beyond the buffer wait too',
    saying: /15 missing/,
    wrap: (driver) =>
      wrapDriver(driver, {
        publish(publications) {
          driver.publish(publications.slice(0, 5));
          for (const publication of publications.slice(5)) publication.confirm("accepted");
        },
      }),
  },
  {
    does: "refuses a subscribe while its connection is down, as if it could never work",
    caughtBy: "J a subscribe while the connection is down works once it is back, or says that it may be tried again",
    saying: /not with a retryable BrokerError/,
    wrap: (driver) =>
      wrapDriver(driver, {
        async subscribe(request) {
          try {
            return await driver.subscribe(request);
          } catch (cause) {
            throw new BrokerError("ERR_DRIVER", "Subscribing failed.", { cause });
          }
        },
      }),
  },
  {
    does: "does not give up",
    caughtBy: "J after reconnect.maxAttempts the broker is closed, and says why",
    saying: /until the broker is closed: it is reconnecting/,
    wrap: (driver) => onContext(driver, () => ({ onClosed: () => {} })),
  },
  {
    does: "waits for its connection to disconnect",
    caughtBy: "J disconnect while the connection is down ends within its deadline, and answers what waits",
    saying: /did not end within/,
    wrap(driver) {
      let up = (): void => {};
      let back = Promise.resolve();
      const waiting = onContext(driver, ({ onDown, onUp }) => ({
        onDown(error) {
          back = new Promise((resolve) => {
            up = resolve;
          });
          onDown(error);
        },
        onUp() {
          up();
          onUp();
        },
      }));
      return wrapDriver(waiting, {
        async disconnect(deadlineAt) {
          await back;
          await driver.disconnect(deadlineAt);
        },
      });
    },
  },
  {
    does: "gives up connecting at the first failure",
    caughtBy: "J connect succeeds once a server that was away is there",
    saying: /closed/,
    wrap: (driver) => onConnectError(driver, (cause) => new BrokerError("ERR_DRIVER", "It failed.", { cause })),
  },
  {
    does: "never gives up connecting",
    caughtBy: "J an unreachable server is tried reconnect.maxAttempts times",
    saying: /did not end within/,
    wrap: (driver) =>
      wrapDriver(driver, {
        connect: (_context, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
          }),
      }),
  },
  {
    does: "shows the password that was refused",
    caughtBy: "J the error of refused credentials does not show them",
    saying: /shows a URL's password/,
    wrap: (driver) =>
      onConnectError(driver, () => new BrokerError("ERR_AUTHENTICATION", "fake://ada:secret@host refused the login.")),
  },
  {
    does: "fails publishes in flight with an error that says not to try again",
    caughtBy: SILENT,
    saying: /which says not to try again/,
    wrap: (driver) =>
      onPublish(driver, (publication) =>
        wrapPublication(publication, {
          fail: (cause) => publication.fail(new BrokerError("ERR_DRIVER", "x", { cause })),
        }),
      ),
  },
  {
    does: "confirms publishes in flight that the engine never got",
    caughtBy: SILENT,
    saying: /in vain until everything acknowledged was received/,
    wrap: (driver) =>
      onPublish(driver, (publication) => wrapPublication(publication, { fail: () => publication.confirm("accepted") })),
  },
  {
    does: "does not notice that its connection has gone silent",
    caughtBy: SILENT,
    saying: /until the broker is reconnecting: it is connected/,
    wrap: (driver) => onContext(driver, () => ({ onDown: () => {} })),
  },
  {
    does: "is closed by the first cut",
    caughtBy: CUT,
    saying: /ERR_NOT_CONNECTED, which says not to try again/,
    wrap: (driver) => onContext(driver, ({ onClosed }) => ({ onDown: onClosed })),
  },
  {
    does: "gives redelivered messages new ids",
    caughtBy: "J the connection is cut again and again: what was sent and acknowledged is received",
    saying: /came twice with different ids/,
    wrap(driver) {
      let count = 0;
      const renaming = onDeliver(driver, () => {
        count += 1;
        return { id: `id-${count}` };
      });
      // Acks that are lost now and then are what makes messages come again.
      return onSettle(renaming, (outcome, delivery) =>
        count % 10 === 0 && outcome.kind === "ack"
          ? delivery.settle({ kind: "retry", delayMs: 0, attempt: delivery.attempt, firstFailureAt: undefined })
          : delivery.settle(outcome),
      );
    },
  },
  {
    does: "takes a slow connection for a lost one",
    caughtBy: "J a slow connection delivers everything once and in order, and is not taken for a lost one",
    saying: /ERR_CONNECTION_LOST/,
    wrap(driver, { network }) {
      let lost = false;
      return onDeliver(driver, () => {
        if (network.delayMs > 0 && !lost) for (const line of network.lines) line.lose();
        lost = true;
        return {};
      });
    },
  },
  {
    does: "takes the beginning of a message for the whole of it",
    caughtBy: "J a connection that delivers byte by byte delivers everything whole",
    saying: /deep-equal/,
    wrap: (driver, { network }) =>
      onDeliver(driver, ({ body }) => (network.small ? { body: body.subarray(0, 200) } : {})),
  },
  {
    does: "counts an attempt for a cut",
    caughtBy: "J ten cuts cost the messages that a member holds no attempt",
    saying: /the cut cost an attempt/,
    wrap: (driver) =>
      onDeliver(driver, ({ attempt }, { prefetch }) => ({ attempt: prefetch === 10 ? attempt + 1 : attempt })),
  },
  {
    does: "drops a message whose ack failed",
    caughtBy: "J an ack over a lost connection is done, or fails with a typed error and the message comes again",
    saying: /until 2 messages were seen/,
    wrap(driver) {
      let cuts = 0;
      const counting = onContext(driver, ({ onDown }) => ({
        onDown(error) {
          cuts += 1;
          onDown(error);
        },
      }));
      return onDeliver(counting, (delivery) => {
        const before = cuts;
        return {
          async settle(outcome) {
            await delivery.settle(outcome);
            if (cuts > before) throw new BrokerError("ERR_CONNECTION_LOST", "The ack was lost.");
          },
        };
      });
    },
  },
  {
    does: "delivers again what the process still has",
    caughtBy: "J ten cuts cost the messages that a member holds no attempt",
    saying: /was started 3 times with maxAttempts 2/,
    wrap(driver) {
      const held: (() => void)[] = [];
      const again = onContext(driver, ({ onUp }) => ({
        onUp() {
          onUp();
          for (const deliver of held) deliver();
        },
      }));
      return onRequest(again, (request) => ({
        deliver(delivery) {
          held.push(() => request.deliver(wrapDelivery(delivery, { settle: () => {} })));
          request.deliver(delivery);
        },
      }));
    },
  },
  {
    does: "loses what a broadcast subscriber should get over a cut",
    caughtBy: "J a broadcast subscriber loses nothing over a short cut",
    saying: /10 missing \(meanwhile/,
    wrap: (driver) => losesWhileDown(driver, (queue) => queue === undefined),
  },
  {
    does: "loses what a queue should get while its member is cut off",
    caughtBy: "J a queue keeps what was published while its only member's connection was down",
    saying: /missing/,
    wrap: (driver) => losesWhileDown(driver, (queue) => queue !== undefined),
  },
  {
    does: "does not restore topology that was removed",
    caughtBy: "J topology that is removed behind the driver's back is restored",
    saying: /until a message arrives again/,
    wrap: (driver, { removed }) => onDeliver(driver, ({ topic }) => (removed.has(topic) ? undefined : {})),
  },
  {
    does: "loses what a leaving member gives back",
    caughtBy: "J members join, leave and disconnect under load: what was sent and acknowledged is received, once",
    saying: /missing/,
    wrap: (driver) =>
      onSettle(driver, (outcome, delivery) => delivery.settle(outcome.kind === "release" ? ACK : outcome)),
  },
  {
    does: "loses a publish after the engine's restart",
    caughtBy: "J the engine restarts at 1/3 and 2/3 of the load: what was sent and acknowledged is received",
    saying: /in vain until everything acknowledged was received/,
    wrap: losesWhatHasWaited,
  },
  {
    does: "does not come back after the engine was killed",
    caughtBy: "J the engine is killed and started again under load: what was sent and acknowledged is received",
    saying: /messages were acknowledged/,
    wrap: (driver) => onContext(driver, () => ({ onUp: () => {} })),
  },
  {
    does: "forgets its subscriptions when its connections are cut",
    caughtBy:
      "J connections are cut from the engine's side again and again: what was sent and acknowledged is received",
    saying: /messages were acknowledged|everything acknowledged was received/,
    wrap: (driver) => forgetsSubscriptions(driver, () => true),
  },
  {
    does: "confirms what it could not send to an engine that hangs",
    caughtBy: "J the engine hangs for a moment under load: what was sent and acknowledged is received",
    saying: /in vain until everything acknowledged was received|deep-equal|did not become quiet/,
    wrap: (driver, engine) =>
      onPublish(driver, (publication) => {
        if (!engine.paused) return publication;
        publication.confirm("accepted");
        return undefined;
      }),
  },
  {
    does: "restores queues and forgets broadcast subscriptions",
    caughtBy: RESTORED,
    saying: /broadcast: .* missing/,
    wrap: (driver) => forgetsSubscriptions(driver, (queue) => queue === undefined),
  },
  {
    does: "restores subscriptions some time after it says so",
    caughtBy: RESTORED,
    saying: /missing/,
    wrap(driver) {
      let deafUntil = 0;
      const late = onContext(driver, ({ onUp }) => ({
        onUp() {
          deafUntil = performance.now() + 200;
          onUp();
        },
      }));
      return onDeliver(late, (delivery) => {
        if (performance.now() >= deafUntil) return {};
        void delivery.settle(ACK);
        return undefined;
      });
    },
  },
];

/** Changes what a driver tells the portable layer. */
function onContext(driver: Driver, change: (context: DriverContext) => Partial<DriverContext>): Driver {
  return wrapDriver(driver, {
    connect: (context, signal) => driver.connect({ ...context, ...change(context) }, signal),
  });
}

function onConnectError(driver: Driver, change: (cause: unknown) => BrokerError): Driver {
  return wrapDriver(driver, {
    async connect(context, signal) {
      try {
        await driver.connect(context, signal);
      } catch (cause) {
        throw change(cause);
      }
    },
  });
}

/** Confirms the first publication after each reconnect, and does not send it. */
function losesWhatHasWaited(driver: Driver): Driver {
  let toLose: boolean = false;
  const losing = onContext(driver, ({ onUp }) => ({
    onUp() {
      toLose = true;
      onUp();
    },
  }));
  return onPublish(losing, (publication: Publication) => {
    if (!toLose) return publication;
    toLose = false;
    publication.confirm("accepted");
    return undefined;
  });
}

/** Takes what comes until the connection is back, and hands none of it on. */
function losesWhileDown(driver: Driver, concerns: (queue: string | undefined) => boolean): Driver {
  let down = false;
  const knowing = onContext(driver, ({ onDown, onUp }) => ({
    onDown(error) {
      down = true;
      onDown(error);
    },
    onUp() {
      down = false;
      onUp();
    },
  }));
  return onDeliver(knowing, (delivery, { queue }) => {
    if (!down || !concerns(queue)) return {};
    void delivery.settle(ACK);
    return undefined;
  });
}

/** Hands nothing on any more once the connection was lost. */
function forgetsSubscriptions(driver: Driver, concerns: (queue: string | undefined) => boolean): Driver {
  let generation = 0;
  const counting = onContext(driver, ({ onDown }) => ({
    onDown(error) {
      generation += 1;
      onDown(error);
    },
  }));
  return wrapDriver(counting, {
    subscribe(request) {
      const born = generation;
      return counting.subscribe(
        wrapRequest(request, {
          deliver(delivery) {
            if (born === generation || !concerns(request.queue)) request.deliver(wrapDelivery(delivery, {}));
          },
        }),
      );
    },
  });
}
