import type { NatsConnection } from "@nats-io/transport-node";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Acks } from "../../src/drivers/nats/acks.ts";
import type { BrokerError } from "../../src/errors.ts";
import { type Deferred, deferred } from "../../src/internal/deferred.ts";
import { FakeClock } from "../unit/internal/fake-clock.ts";

/** A connection to a server that reads when it is told to. */
class FakeLine {
  /** Ack subjects that the server has read. */
  readonly known = new Set<string>();
  /** The most PINGs that were ever under way. */
  most = 0;
  #written: (string | Deferred<void>)[] = [];

  publish(subject: string): void {
    this.#written.push(subject);
  }

  flush(): Promise<void> {
    const ping = deferred<void>();
    this.#written.push(ping);
    this.most = Math.max(this.most, this.#written.filter((item) => typeof item !== "string").length);
    return ping.promise;
  }

  /** The server reads so many items; what it read stays read. */
  read(count: number): void {
    for (const item of this.#written.splice(0, count)) {
      if (typeof item === "string") this.known.add(item);
      else item.resolve();
    }
  }

  /** What was not read is gone. The client may forget its PINGs, or fail them. */
  cut(failing: boolean): void {
    for (const item of this.#written.splice(0))
      if (failing && typeof item !== "string") item.reject(new Error("disconnected"));
  }
}

function setUp() {
  const [line, clock] = [new FakeLine(), new FakeClock()];
  const acks = new Acks(line as unknown as NatsConnection, clock);
  const answers = new Map<string, string[]>();
  const send = (): void => {
    const subject = `ack-${answers.size}`;
    const said: string[] = [];
    answers.set(subject, said);
    acks.send({
      subject,
      answer: () => void said.push(line.known.has(subject) ? "known" : "a lie"),
      fail: ({ code }: BrokerError) => void said.push(code),
    });
  };
  return { line, clock, acks, answers, send };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("acks", () => {
  test("are confirmed once, and only what the server has read, over any cuts", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("send" as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant("read" as const), count: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ kind: fc.constant("cut" as const), failing: fc.boolean() }),
      fc.constant({ kind: "notice" as const }),
      fc.constant({ kind: "turn" as const }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { line, acks, answers, send } = setUp();
        let [broken, noticed] = [false, false];
        const back = (): void => {
          acks.resume();
          [broken, noticed] = [false, false];
        };
        for (const one of steps) {
          if (one.kind === "send") for (let index = 0; index < one.count; index += 1) send();
          else if (one.kind === "turn") await turn();
          else if (one.kind === "read" && !broken) line.read(one.count);
          else if (one.kind === "cut" && !broken) {
            broken = true;
            line.cut(one.failing);
          } else if (one.kind === "notice" && broken && !noticed) {
            noticed = true;
            acks.pause();
          } else if (one.kind === "notice" && noticed) {
            // What was written before the loss was noticed is lost too.
            line.cut(true);
            back();
          }
        }
        if (broken && !noticed) acks.pause();
        if (broken) {
          line.cut(false);
          back();
        }
        const settled = acks.settled();
        for (let round = 0; round < 3; round += 1) {
          await turn();
          line.read(Number.POSITIVE_INFINITY);
        }
        await settled;
        for (const [subject, said] of answers) expect([subject, said]).toEqual([subject, ["known"]]);
        expect(line.most).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("of one turn share one PING", async () => {
    const { line, answers, send } = setUp();
    for (let index = 0; index < 100; index += 1) send();
    await turn();
    line.read(101);
    await turn();
    expect([...answers.values()].every(([said]) => said === "known")).toBe(true);
  });

  test("fail with ERR_CONNECTION_LOST when the connection stays away for half a minute", async () => {
    const { clock, acks, answers, send } = setUp();
    send();
    acks.pause();
    send();
    clock.advance(29_999);
    expect([...answers.values()].flat()).toEqual([]);
    clock.advance(1);
    expect([...answers.values()]).toEqual([["ERR_CONNECTION_LOST"], ["ERR_CONNECTION_LOST"]]);
    await acks.settled();
  });

  test("fail when the connection is given up, those that come later too", () => {
    const { acks, answers, send } = setUp();
    send();
    acks.close("it is over");
    acks.close("it is over");
    send();
    expect([...answers.values()]).toEqual([["ERR_CONNECTION_LOST"], ["ERR_CONNECTION_LOST"]]);
  });
});
