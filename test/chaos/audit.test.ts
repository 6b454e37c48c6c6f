import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Audit, isClean } from "../../chaos/check/audit.ts";
import { describeTerms, isPromised } from "../../chaos/check/terms.ts";
import { Doctored, DURABLE } from "./doctored.ts";

let run: Doctored;

beforeEach(() => {
  run = new Doctored();
  run.starts("member-0").starts("member-1").starts("publisher-0");
});

afterEach(() => run.remove());

const missing = ({ queues, broadcast }: Audit): string[] =>
  [...queues.broken, ...broadcast.broken].map(({ message, at }) => `${message.text} at ${at}`);

describe("the checker", () => {
  test("finds nothing where everything came once, in order, to its queue", () => {
    for (const number of [0, 1, 2])
      run.publishes("publisher-0", number).gets(`member-${number % 2}`, `publisher-0#${number}`);
    const found = run.audit();
    const figures = {
      sent: 3,
      acknowledged: 3,
      promised: 3,
      received: 3,
      lost: 0,
      broken: [],
      duplicated: 0,
      reordered: 0,
    };
    expect(found).toMatchObject({ queues: figures, wrongQueue: [], foreign: [] });
    expect(isClean(found)).toBe(true);
  });

  test("reports what was acknowledged and never came", () => {
    run.publishes("publisher-0", 0).publishes("publisher-0", 1).gets("member-0", "publisher-0#1");
    const found = run.audit();
    expect(found.queues).toMatchObject({ acknowledged: 2, received: 1, lost: 1 });
    expect(missing(found)).toEqual(["publisher-0#0 at queue 0"]);
    expect(isClean(found)).toBe(false);
  });

  test("does not miss what got no receipt, and counts it where it came", () => {
    run.attempts("publisher-0", 0).attempts("publisher-0", 1).gets("member-0", "publisher-0#1");
    const found = run.audit();
    expect(found.queues).toMatchObject({ sent: 2, acknowledged: 0, promised: 0, received: 1, lost: 0 });
    expect(isClean(found)).toBe(true);
  });

  test("counts duplicates, at whichever member, and allows them", () => {
    run
      .publishes("publisher-0", 0)
      .gets("member-0", "publisher-0#0")
      .gets("member-1", "publisher-0#0", 0, { attempt: 2 });
    run.gets("member-1", "publisher-0#0", 0, { attempt: 3 });
    const found = run.audit();
    expect(found.queues).toMatchObject({ received: 1, duplicated: 2, lost: 0 });
    expect(isClean(found)).toBe(true);
  });

  test("counts first attempts out of order, of one publisher at one member only, and allows them", () => {
    run.starts("publisher-1");
    for (const number of [0, 1, 2, 3]) run.publishes("publisher-0", number).publishes("publisher-1", number);
    run.gets("member-0", "publisher-0#1").gets("member-0", "publisher-0#0");
    // At another member, of another publisher, and at a later attempt: none of these is out of order.
    run.gets("member-0", "publisher-0#3").gets("member-1", "publisher-0#2").gets("member-1", "publisher-1#3");
    run
      .gets("member-1", "publisher-1#0", 0, { attempt: 2 })
      .gets("member-0", "publisher-1#1")
      .gets("member-0", "publisher-1#2");
    const found = run.audit();
    expect(found.queues).toMatchObject({ received: 8, reordered: 1 });
    expect(isClean(found)).toBe(true);
  });

  test("goes by the time of receipt, not by whose journal it reads first", () => {
    run.publishes("publisher-0", 5).publishes("publisher-0", 6);
    // member-1 is read last, and had the first of the two copies of #5.
    run.gets("member-1", "publisher-0#5").gets("member-0", "publisher-0#6").gets("member-0", "publisher-0#5");
    expect(run.audit().queues).toMatchObject({ received: 2, duplicated: 1, reordered: 0 });
  });

  test("reports a message in the wrong queue, and misses it in the right one", () => {
    run.publishes("publisher-0", 0, 1).gets("member-0", "publisher-0#0", 0, { topic: 1 });
    const found = run.audit({}, { queues: 2 });
    expect(found.wrongQueue).toEqual(["publisher-0#0 of queue 1 at member-0 in queue 0"]);
    expect(missing(found)).toEqual(["publisher-0#0 at queue 1"]);
    expect(isClean(found)).toBe(false);
  });

  test("reports the right queue under the wrong topic", () => {
    run.publishes("publisher-0", 0, 0).gets("member-0", "publisher-0#0", 0, { topic: 1 });
    expect(run.audit({}, { queues: 2 }).wrongQueue).toEqual([
      "publisher-0#0 of queue 0 at member-0 in queue 0 under the topic of queue 1",
    ]);
  });

  test("reports what nobody sent, and bodies under the id of another message", () => {
    run.publishes("publisher-0", 0).publishes("publisher-0", 1);
    run
      .gets("member-0", "publisher-9#0")
      .gets("member-0", "publisher-0#0", 0, { id: "publisher-0#1" })
      .gets("member-0", "publisher-0#1");
    const found = run.audit();
    expect(found.foreign).toEqual([
      '"publisher-9#0" with the id "publisher-9#0" at member-0 in queue 0',
      '"publisher-0#0" with the id "publisher-0#1" at member-0 in queue 0',
    ]);
    expect(isClean(found)).toBe(false);
  });
});

describe("without a queue", () => {
  test("each process is owed what was published after it had subscribed, in its last life", () => {
    run
      .starts("broadcast-0")
      .publishes("publisher-0", 0)
      .publishes("publisher-0", 1)
      .gets("broadcast-0", "publisher-0#0", null);
    // Killed: #1 went with its subscription. #2 came before it was back.
    run.publishes("publisher-0", 2).starts("broadcast-0").publishes("publisher-0", 3).publishes("publisher-0", 4);
    run.gets("broadcast-0", "publisher-0#3", null);
    const found = run.audit({}, { queues: 0, broadcast: ["broadcast-0"] });
    expect(found.broadcast).toMatchObject({ sent: 2, promised: 2, received: 1, lost: 1 });
    expect(missing(found)).toEqual(["publisher-0#4 at broadcast-0"]);
  });

  test("every process is owed its own copy", () => {
    run
      .starts("broadcast-0")
      .starts("broadcast-1")
      .publishes("publisher-0", 0)
      .gets("broadcast-0", "publisher-0#0", null);
    expect(missing(run.audit({}, { queues: 0, broadcast: ["broadcast-0", "broadcast-1"] }))).toEqual([
      "publisher-0#0 at broadcast-1",
    ]);
  });
});

describe("what is promised", () => {
  test("in the publishers' memory: only what a publisher had published that was not killed after it", () => {
    run.publishes("publisher-0", 0).starts("publisher-0").publishes("publisher-0", 1);
    const found = run.audit({ durable: false, keptBy: "publisher" });
    expect(found.queues).toMatchObject({ acknowledged: 2, promised: 1, lost: 2 });
    expect(missing(found)).toEqual(["publisher-0#1 at queue 0"]);
    expect(missing(run.audit({ durable: true, keptBy: "publisher" }))).toHaveLength(2);
  });

  test("at most once: nothing, and losses are still counted", () => {
    run.publishes("publisher-0", 0);
    const found = run.audit({ guarantee: "at-most-once", durable: false });
    expect(found.queues).toMatchObject({ acknowledged: 1, promised: 0, lost: 1, broken: [] });
    expect(isClean(found)).toBe(true);
  });

  test.each([
    [{}, false, true],
    [{}, true, true],
    [{ engineKilled: true }, false, true],
    [{ durable: false }, true, true],
    [{ durable: false, engineKilled: true }, false, false],
    [{ durable: false, keptBy: "publisher" }, false, true],
    [{ durable: false, keptBy: "publisher" }, true, false],
    [{ guarantee: "at-most-once" }, false, false],
  ] as const)("with %j, and the publisher killed: %s, a message is promised: %s", (change, killed, promised) => {
    expect(isPromised({ ...DURABLE, ...change }, killed)).toBe(promised);
    expect(describeTerms({ ...DURABLE, ...change })).toMatch(/^test .+\.$/);
  });
});
