import { describe, expect, test } from "vitest";
import type { Journal, OnStored } from "../../../src/outbox/journal.ts";
import { outboxQueues } from "../../../src/outbox/queues.ts";
import { harness } from "./harness.ts";

/** A journal that has written something down when the test says so. */
function slowJournal() {
  const unwritten: OnStored[] = [];
  const journal: Journal = {
    store: (_message, _lanes, onStored) => {
      if (onStored !== undefined) unwritten.push(onStored);
    },
    wanted() {},
    changed() {},
    finished() {},
    laneAdded() {},
    laneRemoved() {},
  };
  const write = () => {
    for (const onStored of unwritten.splice(0)) onStored(undefined)?.();
  };
  return { journal, write };
}

describe("a message on its way through the journal", () => {
  test("is in nobody's hands before it is written down", () => {
    const { journal, write } = slowJournal();
    const { publish, subscribe } = harness({ journal });
    const member = subscribe("t");
    const published = publish("t", { id: "m" });
    expect([member.ids, published.answers]).toEqual([[], []]);
    write();
    expect([member.ids, published.answers]).toEqual([["m"], ["stored"]]);
  });

  test("is waited for by whoever waits for what is on its way, and by nobody once it is in a queue without a member", async () => {
    const { journal, write } = slowJournal();
    const { outbox, publish } = harness({ journal });
    await outboxQueues(outbox).create("t", "q");
    publish("t");
    let isIdle = false;
    void outbox
      .when(() => outbox.idle)
      .then(() => {
        isIdle = true;
      });
    await Promise.resolve();
    expect(isIdle).toBe(false);
    write();
    await new Promise(setImmediate);
    expect(isIdle).toBe(true);
  });
});
