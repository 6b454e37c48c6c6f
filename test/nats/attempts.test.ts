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
  const recall = async (delivered: number): Promise<number> => (await attempts.recall(7, delivered)).attempt;
  const excuse = (lostSince: number): Promise<void> => attempts.excuse(lostSince, REDELIVER_AFTER_MS);
  return { clock, attempts, recall, excuse };
}

describe("attempts", () => {
  test("are counted for deliveries that nobody knows of, one for any number of them", async () => {
    const { attempts, recall } = setUp();
    expect(await recall(1)).toBe(1);
    expect(await recall(2)).toBe(2);
    expect(await recall(5)).toBe(3);
    await attempts.remember(7, { delivered: 5, attempt: 3 });
    expect(await recall(6)).toBe(3);
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

  test("are counted for what reached a process, whatever was lost on its way to another", async () => {
    const { recall, excuse } = setUp();
    await excuse(90_000);
    expect(await recall(2)).toBe(1);
    expect(await recall(3)).toBe(2);
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
