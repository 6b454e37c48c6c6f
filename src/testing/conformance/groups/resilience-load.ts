import assert from "node:assert/strict";
import type { Broker } from "../../../broker.ts";
import { BrokerError } from "../../../errors.ts";
import type { CheckContext } from "../check-context.ts";
import type { Profile } from "../profile.ts";
import type { Receiver } from "../receiver.ts";
import { numberedBody, type SequenceLog } from "../sequence-log.ts";
import { pause } from "../until.ts";

const PUBLISHER_WINDOW = 8;
const AGAIN_AFTER_MS = 5;

/** How long a load takes at least unless told otherwise, in milliseconds, however fast the engine is: trouble needs time to meet it. */
export const LOAD_MS = 1_500;

/** Brokers of a load wait no longer than this for room at full targets, in milliseconds: a message may wait elsewhere too. */
export const LOAD_ACCEPT_MS = 50;

/** Publishers that do not give up. */
export interface StubbornLoad {
  /** Resolves when every message was acknowledged. Rejects when a publish failed in a way that is no reason to try again. */
  readonly done: Promise<void>;
  readonly total: number;
  /** Messages that somebody has taken charge of. */
  readonly acknowledged: number;
  /** Publishes that were rejected with an error that says that they may be tried again. */
  readonly rejected: number;
}

/**
 * Starts to publish `total` numbered messages through these brokers, evenly over some time, some in flight at once. A
 * publish that is rejected with a retryable `BrokerError` is tried again with the same id; whatever else it is rejected
 * with fails the load.
 */
export function startLoad(
  context: CheckContext,
  brokers: readonly Broker[],
  topic: string,
  { total, log, lastsMs = LOAD_MS }: { total: number; log: SequenceLog; lastsMs?: number },
): StubbornLoad {
  const state = { total, acknowledged: 0, rejected: 0, failed: false };
  const run = context.word();

  const publish = async (broker: Broker, publisher: string, number: number): Promise<void> => {
    const id = `${run}-${publisher}-${number}`;
    log.sent(publisher, number);
    while (!state.failed) {
      try {
        await broker.publish(topic, { body: numberedBody(publisher, number) }, { id });
        state.acknowledged += 1;
        return;
      } catch (error) {
        if (!(error instanceof BrokerError && error.retryable)) {
          state.failed = true;
          throw notTyped(error);
        }
        state.rejected += 1;
        await pause(AGAIN_AFTER_MS);
      }
    }
  };
  const lane = async (broker: Broker, publisher: string, first: number, share: number): Promise<void> => {
    const started = performance.now();
    for (let number = first; number < share; number += PUBLISHER_WINDOW) {
      await publish(broker, publisher, number);
      const dueAt = started + (lastsMs * (number + 1)) / share;
      await pause(Math.max(0, dueAt - performance.now()));
    }
  };

  const lanes = brokers.flatMap((broker, index) => {
    const share = Math.floor(((index + 1) * total) / brokers.length) - Math.floor((index * total) / brokers.length);
    return Array.from({ length: PUBLISHER_WINDOW }, (_, first) => lane(broker, `publisher-${index}`, first, share));
  });
  const done = Promise.all(lanes).then(() => {});
  // Whoever waits for the load hears of its failure; until then it must not end the process.
  done.catch(() => {});
  return Object.assign(state, { done });
}

/** How often a check cuts connections under load: ten times in the full profile. */
export function cutsOf({ rounds }: Profile): number {
  return Math.min(10, Math.ceil(rounds / 3));
}

/** Waits until this part of a load was acknowledged, or fails as the load does. */
export async function untilAcknowledged(context: CheckContext, load: StubbornLoad, count: number): Promise<void> {
  const reached = context.until(`${count} messages were acknowledged`, () => load.acknowledged >= count, {
    deadlineMs: 2 * context.profile.deadlineMs,
    detail: () => `${load.acknowledged} of ${load.total} were, ${load.rejected} publishes were rejected`,
  });
  await Promise.race([reached, load.done.then(() => reached)]);
}

/**
 * Waits for the end of a load, and asserts that what was acknowledged was received, that nothing else was, that doubles
 * carry the same id, and that nothing became a dead letter.
 */
export async function assertArrived(
  context: CheckContext,
  load: StubbornLoad,
  {
    broker,
    topic,
    log,
    receivers,
  }: { broker: Broker; topic: string; log: SequenceLog; receivers: readonly Receiver[] },
): Promise<void> {
  await untilAcknowledged(context, load, load.total);
  await load.done;
  await context.until("everything acknowledged was received", () => log.complete(), {
    deadlineMs: 2 * context.profile.deadlineMs,
    detail: () => log.describe(),
  });
  await context.quiet(() => receivers.reduce((sum, { seen }) => sum + seen.length, 0));
  const audit = log.audit();
  assert.deepEqual([audit.missing, audit.unexpected], [[], []], log.describe());
  const ids = new Map<string, string>();
  for (const { text, id } of receivers.flatMap(({ seen }) => seen)) {
    assert.equal(ids.get(text) ?? id, id, `${text} came twice with different ids`);
    ids.set(text, id);
  }
  if (context.capabilities.deadLetters)
    assert.deepEqual(await broker.deadLetters.list(`dlq.${topic}`), [], "messages became dead letters");
}

function notTyped(error: unknown): Error {
  const what = error instanceof BrokerError ? `${error.code}, which says not to try again` : "no BrokerError";
  return new Error(`a publish that met the trouble was rejected with ${what}: ${String(error)}`, { cause: error });
}
