import { describe, expect, test } from "vitest";
import { Attempts } from "../../src/drivers/nats/attempts.ts";
import type { JetStream } from "../../src/drivers/nats/jetstream.ts";
import { Names } from "../../src/drivers/nats/subjects.ts";
import { VirtualClock } from "../../src/testing/test-broker/virtual-clock.ts";

const REDELIVER_AFTER_MS = 10_000;

/** The stream of attempts: the last of each subject. */
class FakeJetStream {
  readonly #last = new Map<string, { readonly data: string; readonly seq: number }>();
  #sequence = 0;

  async publish(subject: string, payload: string): Promise<number> {
    this.#sequence += 1;
    this.#last.set(subject, { data: Buffer.from(payload).toString("base64"), seq: this.#sequence });
    return this.#sequence;
  }

  async find(_call: string, { last_by_subj: subject }: { last_by_subj: string }): Promise<unknown> {
    const message = this.#last.get(subject);
    return message === undefined ? undefined : { message };
  }
}

function setUp() {
  const clock = new VirtualClock(100_000);
  const attempts = new Attempts(new FakeJetStream() as unknown as JetStream, new Names("p"), "consumer", clock);
  /** Of a message that the stream took long ago, unless it is said when. */
  const recall = async (delivered: number, storedAt = 0): Promise<number> =>
    (await attempts.recall({ sequence: 7, delivered, storedAt }, REDELIVER_AFTER_MS)).attempt;
  const excuse = (lostSince: number): Promise<void> => attempts.excuse(lostSince, REDELIVER_AFTER_MS);
  const leave = (): Promise<void> => attempts.excuseLeaving(REDELIVER_AFTER_MS);
  const pass = (ms: number): void => clock.moveTo(clock.now() + ms);
  return { attempts, clock, recall, excuse, leave, pass };
}

describe("attempts", () => {
  test("are counted for deliveries that nobody knows of, one for any number of them", async () => {
    const { attempts, recall, pass } = setUp();
    expect(await recall(1)).toBe(1);
    expect(await recall(2)).toBe(2);
    pass(REDELIVER_AFTER_MS);
    expect(await recall(5)).toBe(3);
    await attempts.remember(7, { delivered: 5, attempt: 3 });
    expect(await recall(6)).toBe(3);
  });

  test("are not counted for what comes again before the death of a process can have been found out", async () => {
    const { attempts, clock, recall, pass } = setUp();
    const soonMs = REDELIVER_AFTER_MS / 2;
    const storedAt = clock.now() - soonMs;
    expect(await recall(2, storedAt + 1)).toBe(1);
    pass(soonMs - 1);
    // It reached a process a moment ago.
    expect(await recall(4, storedAt + 1)).toBe(1);
    pass(REDELIVER_AFTER_MS);
    expect(await recall(6, storedAt + 1)).toBe(2);
    // To be tried again in a minute.
    await attempts.remember(7, { delivered: 6, attempt: 3, at: clock.now() + 60_000 });
    pass(60_000 + soonMs - 1);
    expect(await recall(8)).toBe(3);
    expect(await setUp().recall(2, storedAt)).toBe(2);
  });

  test("are not counted for what was lost on its way to a process that lives", async () => {
    const { clock, recall, excuse } = setUp();
    await excuse(90_000);
    clock.moveTo(101_000);
    expect(await recall(2)).toBe(1);
  });

  test("are counted for what comes again too early, or too late, to have been lost then", async () => {
    const { clock, recall, excuse } = setUp();
    await excuse(100_000);
    clock.moveTo(109_999);
    expect(await recall(2)).toBe(2);
    clock.moveTo(130_001);
    expect(await recall(3)).toBe(3);
  });

  test("are not counted for what a leaving process lost, whether the server sees it at once or waits", async () => {
    for (const afterMs of [0, REDELIVER_AFTER_MS / 2, REDELIVER_AFTER_MS, 3 * REDELIVER_AFTER_MS]) {
      const { recall, leave, pass } = setUp();
      await leave();
      pass(afterMs);
      expect([afterMs, await recall(2)]).toEqual([afterMs, 1]);
    }
  });

  test("are counted for who died before another left", async () => {
    for (const afterMs of [REDELIVER_AFTER_MS / 2 + 1, REDELIVER_AFTER_MS - 1]) {
      const { recall, leave, pass } = setUp();
      await leave();
      pass(afterMs);
      expect([afterMs, await recall(2)]).toEqual([afterMs, 2]);
    }
  });

  test("are counted for what reached a process, whatever was lost on its way to another", async () => {
    const { recall, leave, pass } = setUp();
    await leave();
    expect(await recall(2)).toBe(1);
    pass(REDELIVER_AFTER_MS);
    expect(await recall(3)).toBe(2);
    pass(REDELIVER_AFTER_MS);
    expect(await recall(4)).toBe(3);
  });

  test("one excuse takes nothing from another", async () => {
    const { clock, recall, excuse } = setUp();
    await excuse(90_000);
    await excuse(100_000);
    clock.moveTo(105_000);
    await excuse(104_000);
    expect(await recall(2)).toBe(1);
  });
});
