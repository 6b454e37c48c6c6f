import { afterEach, beforeEach, expect, test } from "vitest";
import { JournalReader, openJournal } from "../../chaos/processes/journal.ts";
import { Doctored } from "./doctored.ts";

let run: Doctored;

beforeEach(() => {
  run = new Doctored();
});

afterEach(() => run.remove());

test("a journal is read while it grows; a line without its end is left for later", () => {
  const reader = new JournalReader(run.path("one"));
  expect(reader.read()).toEqual([]);
  openJournal(run.path("one")).write({ event: "started", pid: 7 });
  run.text("one", '{"event":"sto');
  expect(reader.read()).toEqual([{ event: "started", pid: 7 }]);
  expect(reader.read()).toEqual([]);
  run.text("one", 'pped"}\n');
  expect(reader.read()).toEqual([{ event: "stopped" }]);
});

test("what a kill has torn is skipped, and the next life begins on a line of its own", () => {
  openJournal(run.path("one")).write({ event: "started", pid: 7 });
  run.text("one", '{"event":"acknow');
  openJournal(run.path("one")).write({ event: "started", pid: 8 });
  expect(new JournalReader(run.path("one")).read()).toEqual([
    { event: "started", pid: 7 },
    { event: "started", pid: 8 },
  ]);
});

test("a line that no kill can have torn is told", () => {
  run.write("one", { event: "started", pid: 7 }).text("one", '{"event":"acknow\n').write("one", { event: "stopped" });
  expect(() => new JournalReader(run.path("one")).read()).toThrow(/is damaged: .*acknow/);
});

test("a receipt for what was never sent is told", () => {
  run.starts("publisher-0").write("publisher-0", { event: "acknowledged", number: 3, state: "stored" });
  expect(() => run.ledger()).toThrow("publisher-0 has a receipt for 3, which it never sent");
});
