import type { Outcome } from "../../../driver.ts";
import { isTopic } from "../../../topics.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { FRAME, WireError } from "./frames.ts";

/** What stands for each outcome. */
const CODE = { ack: 0, release: 1, retry: 2, dead: 3, givenUp: 4 } as const;

/** Room for the numbers and times of an outcome, in bytes. */
const FIXED_BYTES = 80;

/** The longest reason that is sent, in characters; a longer one is cut. */
const MAX_REASON = 4_096;

/** The last moment that a `Date` can hold, in milliseconds since the epoch. */
const MAX_TIME_MS = 8.64e15;

/** What became of one message, as its sender hears it. */
export interface Settled {
  readonly number: number;
  readonly outcome: Outcome;
  /** Whether its place is granted to the same sender again. */
  readonly returned: boolean;
}

/** Writes what became of a message. */
export function writeSettled(writer: FrameWriter, { number, outcome, returned }: Settled): void {
  const to = outcome.kind === "dead" && outcome.to !== false ? outcome.to : "";
  const reason = outcome.kind === "dead" ? outcome.reason.slice(0, MAX_REASON).toWellFormed() : "";
  writer.begin(FRAME.settled, FIXED_BYTES + (to.length + reason.length) * 3);
  writer.number(number);
  writer.byte(returned ? 1 : 0);
  if (outcome.kind === "retry") {
    writer.byte(CODE.retry);
    writer.time(outcome.delayMs);
    writer.number(outcome.attempt);
    writer.time(outcome.firstFailureAt ?? Number.NaN);
  } else if (outcome.kind === "dead") {
    writer.byte(outcome.to === false ? CODE.givenUp : CODE.dead);
    writer.number(outcome.attempts);
    writer.time(outcome.firstAt);
    writer.time(outcome.lastAt);
    writer.text(to);
    writer.restText(reason);
  } else writer.byte(CODE[outcome.kind]);
  writer.finish();
}

/**
 * Reads what became of a message.
 * @throws WireError
 */
export function readSettled(reader: ByteReader): Settled {
  const number = reader.number();
  const returned = reader.byte() === 1;
  const outcome = readOutcome(reader);
  reader.done();
  return { number, outcome, returned };
}

function readOutcome(reader: ByteReader): Outcome {
  const code = reader.byte();
  if (code === CODE.ack) return { kind: "ack" };
  if (code === CODE.release) return { kind: "release" };
  if (code === CODE.retry) {
    const [delayMs, attempt, firstFailureAt] = [reader.time(), reader.number(), reader.time()];
    if (!isTime(delayMs) || attempt < 1 || !(Number.isNaN(firstFailureAt) || isTime(firstFailureAt)))
      throw new WireError("a retry has no delay, attempt or time");
    return {
      kind: "retry",
      delayMs,
      attempt,
      firstFailureAt: Number.isNaN(firstFailureAt) ? undefined : firstFailureAt,
    };
  }
  if (code !== CODE.dead && code !== CODE.givenUp) throw new WireError("an outcome is none");
  const [attempts, firstAt, lastAt, to] = [reader.number(), reader.time(), reader.time(), reader.text()];
  if (!isTime(firstAt) || !isTime(lastAt)) throw new WireError("a dead letter has no time");
  if (code === CODE.dead && !isTopic(to)) throw new WireError("a dead letter has no topic");
  return { kind: "dead", to: code === CODE.givenUp ? false : to, reason: reader.restText(), attempts, firstAt, lastAt };
}

/** Whether a value is a time or a duration in milliseconds that a `Date` can hold. */
function isTime(value: number): boolean {
  return value >= 0 && value <= MAX_TIME_MS;
}
