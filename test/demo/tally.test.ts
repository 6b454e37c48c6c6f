import { describe, expect, test } from "vitest";

interface Report {
  topic: string;
  id: string;
  sequence: number;
}

interface Tally {
  published(report: Report): void;
  received(report: Report & { receiver: string; audience: string }): void;
  of(receiver: string): number;
  readonly complete: boolean;
  summary(): object;
  mixups(): readonly object[];
}

// The demo is plain JavaScript, as its readers would write it.
const { Tally } = (await import(new URL("../../demo/tally.mjs", import.meta.url).href)) as {
  Tally: new (audience: Record<string, readonly string[]>) => Tally;
};

const one = { topic: "a.pubsub.1", id: "x", sequence: 1 };
const two = { topic: "a.pubsub.2", id: "y", sequence: 1 };

function tally(): Tally {
  const made = new Tally({ "a.pubsub.1": ["first", "second"], "a.pubsub.2": ["queue"] });
  made.published(one);
  made.published(two);
  return made;
}

describe("the demo's tally", () => {
  test("counts what is missing", () => {
    const made = tally();
    made.received({ ...one, receiver: "first", audience: "first" });
    expect(made.summary()).toEqual({
      published: 2,
      received: { "pubsub.1": 1, "pubsub.2": 0 },
      lost: 2,
      duplicates: 0,
    });
    expect(made.complete).toBe(false);
    expect(made.of("first")).toBe(1);
  });

  test("counts what came twice, also to two members of a queue", () => {
    const made = tally();
    for (const receiver of ["first", "second"]) made.received({ ...one, receiver, audience: receiver });
    for (const receiver of ["member-1", "member-2"]) made.received({ ...two, receiver, audience: "queue" });
    expect(made.summary()).toEqual({
      published: 2,
      received: { "pubsub.1": 2, "pubsub.2": 1 },
      lost: 0,
      duplicates: 1,
    });
    expect(made.complete).toBe(true);
  });

  test("leaves out what others published, and finds what does not fit", () => {
    const made = tally();
    made.received({ ...two, id: "foreign", receiver: "member-1", audience: "queue" });
    expect(made.mixups()).toEqual([]);
    made.received({ ...two, sequence: 2, receiver: "member-1", audience: "queue" });
    expect(made.mixups()).toHaveLength(1);
  });
});
