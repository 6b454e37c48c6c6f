import { FrameWriter } from "../src/drivers/http/wire/frame-writer.ts";
import { FRAME } from "../src/drivers/http/wire/frames.ts";
import { writeSettled } from "../src/drivers/http/wire/outcome-frame.ts";
import { writeAnnouncement } from "../src/drivers/http/wire/subscribe-frame.ts";
import { mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

/** What one hand-made peer does on one connection. */
export interface WireInput {
  /** Changes the bytes of its request, where it does not ask as it should. */
  readonly request: ((bytes: Buffer) => Buffer) | undefined;
  /** Whether it proves the secret. */
  readonly isProved: boolean;
  /** Whether what it sends behind its proof is as it should be, so that it is granted places. */
  readonly isOpening: boolean;
  /** What it sends behind its proof. */
  readonly opening: Buffer;
  /** What it sends when it was granted places, or after a moment without. */
  readonly frames: Buffer;
}

/** The topic that the broker listens to, and the one that it publishes on. */
export const TOPICS = { heard: "fuzz.heard", told: "fuzz.told" } as const;

/** The input of a number, by a seed. */
export function wireInput(random: Random, name: string): WireInput {
  const asks = random.chance(90);
  const isProved = random.chance(95);
  const opening = openingOf(random);
  const frames = framesOf(random, isProved ? name : `unproved-${name}`);
  const other = framesOf(random, `other-${name}`);
  const isOpening = random.chance(90);
  return {
    request: asks ? undefined : (bytes) => mutate(random, bytes, opening),
    isProved,
    isOpening,
    opening: isOpening ? opening : mutate(random, opening, frames),
    // Some stay as they are: a run in which nothing is delivered would prove nothing.
    frames: random.chance(15) ? frames : mutate(random, frames, other),
  };
}

/** It is ready, wants places, and may want messages itself. */
function openingOf(random: Random): Buffer {
  const writer = new FrameWriter();
  if (random.chance(30)) {
    const queue = random.chance(50) ? "fuzz" : undefined;
    writeAnnouncement(writer, { index: 1, id: "fuzz", pattern: TOPICS.told, queue, ackTimeoutMs: 1_000 });
  }
  writer.numbers(FRAME.ready);
  writer.numbers(FRAME.want, 0);
  return Buffer.concat(writer.peek());
}

/** A few frames of all kinds, some of them messages. */
function framesOf(random: Random, name: string): Buffer {
  const writer = new FrameWriter();
  let number = 0;
  const steps: readonly (() => void)[] = [
    () => {
      number += 1;
      writer.message(number, 0, content(random, `${name}-${number}`), 1, undefined);
    },
    () => {
      number += 1;
      const attempt = 2 + random.below(3);
      writer.message(number, 0, content(random, `${name}-${number}`), attempt, 1_700_000_000_000);
    },
    () => writer.numbers(FRAME.ping, random.below(1_000)),
    () => writer.numbers(FRAME.pong, random.below(10)),
    () => writer.numbers(FRAME.heard, random.below(2)),
    () => writer.numbers(FRAME.giveBack, 0, random.below(3)),
    () => writer.numbers(FRAME.received, random.below(3)),
    () => writer.ranges(FRAME.done, [1], 0, 1),
    () =>
      writeSettled(writer, {
        number: 1,
        outcome: random.pick([
          { kind: "release" },
          { kind: "retry", delayMs: random.below(50), attempt: 2, firstFailureAt: 1_700_000_000_000 },
          { kind: "dead", to: "fuzz.dead", reason: "fuzzed", attempts: 1, firstAt: 1, lastAt: 2 },
          { kind: "dead", to: false, reason: "fuzzed", attempts: 1, firstAt: 1, lastAt: 2 },
        ]),
        returned: random.chance(50),
      }),
    () => call(writer, random),
    () => writer.numbers(FRAME.want, 0),
  ];
  for (let left = 1 + random.below(6); left > 0; left -= 1) (random.chance(50) ? steps[0] : random.pick(steps))?.();
  return Buffer.concat(writer.peek());
}

function content(random: Random, id: string) {
  const body = random.bytes(random.below(60));
  const header: Record<string, string> = random.chance(40)
    ? { "x-a": "a value", "X-ü": "ü".repeat(random.below(5)) }
    : {};
  let bytes = body.length;
  for (const [name, value] of Object.entries(header)) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return { id, topic: TOPICS.heard, key: random.chance(20) ? "k" : undefined, header, body, bytes };
}

function call(writer: FrameWriter, random: Random): void {
  const [name, argument] = random.pick([
    ["queues", null],
    ["dead-letters", { topic: "dlq.fuzz" }],
    ["redrive", { topic: "dlq.fuzz" }],
    ["drop", { topic: "dlq.fuzz" }],
    ["queue-removed", { pattern: "fuzz.queue", queue: "q" }],
  ] as const);
  const json = JSON.stringify(argument);
  writer.begin(FRAME.call, 32 + name.length + json.length);
  writer.number(1 + random.below(5));
  writer.text(name);
  writer.restText(json);
  writer.finish();
}
