import { beforeEach, describe, expect, test } from "vitest";
import type { BrokerError } from "../../src/errors.ts";
import { type Change, Commits, type CommitsParts, plainChange } from "../../src/outbox/storage/commits.ts";
import type { LevelDatabase } from "../../src/outbox/storage/level.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { FakeClock } from "../unit/internal/fake-clock.ts";

/** A database whose disk does as the test says. */
class ScriptedDatabase implements LevelDatabase {
  readonly records = new Map<string, string>();
  readonly groups: { readonly keys: string[]; readonly sync: boolean }[] = [];
  /** What the next writes, or openings, fail with. */
  failure: string | undefined;
  /** Writes wait while it is set. */
  held: Promise<void> | undefined;
  opened = 0;

  async open(): Promise<void> {
    if (this.failure !== undefined) throw new Error("Database failed to open", { cause: new Error(this.failure) });
    this.opened += 1;
  }

  async close(): Promise<void> {}

  batch(): ReturnType<LevelDatabase["batch"]> {
    const changes: [string, string | undefined][] = [];
    const batch = {
      put: (key: Uint8Array, value: Uint8Array) => {
        changes.push([show(key), Buffer.from(value).toString("latin1")]);
        return batch;
      },
      del: (key: Uint8Array) => {
        changes.push([show(key), undefined]);
        return batch;
      },
      write: async ({ sync }: { sync: boolean }) => {
        await this.held;
        if (this.failure !== undefined) throw new Error(this.failure);
        for (const [key, value] of changes) {
          if (value === undefined) this.records.delete(key);
          else this.records.set(key, value);
        }
        this.groups.push({ keys: changes.map(([key]) => key).filter((key) => key !== "s"), sync });
      },
    };
    return batch;
  }

  iterator(): ReturnType<LevelDatabase["iterator"]> {
    throw new Error("not read in these tests");
  }

  get keys(): string[] {
    return [...this.records.keys()].filter((key) => key !== "s").sort();
  }
}

/** `m` and the id of a message, else the key as it is. */
function show(key: Uint8Array): string {
  return key[0] === 0x6d ? `m${Buffer.from(key).readUInt32BE(5)}` : Buffer.from(key).toString("latin1");
}

const FULL = "IO error: 000003.log: No space left on device";

let database: ScriptedDatabase;
let clock: FakeClock;
let errors: BrokerError[];
let answers: string[];

beforeEach(() => {
  database = new ScriptedDatabase();
  clock = new FakeClock();
  errors = [];
  answers = [];
});

function commits(more: Partial<CommitsParts> = {}): Commits {
  const state = { messages: 0, bytes: 0, low: 0, high: 0 };
  const onError = (error: BrokerError) => errors.push(error);
  return new Commits({ database, folder: "/f", state, whenFull: "reject", clock, onError, ...more });
}

/** A message that may be refused. */
function message(id: number, value: Uint8Array = Buffer.from("v")): Change {
  const onStored = (error: BrokerError | undefined) => {
    answers.push(`${id} ${error?.code ?? "stored"}`);
    return undefined;
  };
  return { ...plainChange(id, value), messages: 1, bytes: 1, onStored };
}

const note = (name: string) => plainChange(Buffer.from(name), Buffer.from("n"));

describe("groups", () => {
  test("hold what one turn brings, in order; what comes while one is written is the next", async () => {
    let release = () => {};
    database.held = new Promise((resolve) => {
      release = resolve;
    });
    const all = commits();
    for (const id of [1, 2]) all.append(message(id));
    await until(() => answers.length === 0 && clock.timers === 0, { what: "the first group was on its way" });
    await new Promise((resolve) => setImmediate(resolve));
    for (const id of [3, 4]) all.append(message(id));
    all.append(plainChange(1, undefined));
    release();
    await until(() => answers.length === 4, { what: "all were stored" });
    expect(database.groups.map(({ keys }) => keys)).toEqual([
      ["m1", "m2"],
      ["m3", "m4", "m1"],
    ]);
    expect(answers).toEqual([1, 2, 3, 4].map((id) => `${id} stored`));
    expect(database.keys).toEqual(["m2", "m3", "m4"]);
  });

  test("are synced where a publisher waits, and not where nobody does", async () => {
    const all = commits();
    all.append(note("n1"));
    await until(() => database.groups.length === 1, { what: "the note was written" });
    all.append(message(1));
    await until(() => answers.length === 1, { what: "the message was stored" });
    expect(database.groups.map(({ sync }) => sync)).toEqual([false, true]);
  });

  test("end at some megabytes, but never within a step", async () => {
    const all = commits();
    const big = Buffer.alloc(3 * 1024 * 1024);
    all.append(message(1, big));
    all.append(message(2, big));
    for (const name of ["n1", "n2"]) all.append(plainChange(Buffer.from(name), big));
    all.append(message(3));
    await until(() => answers.length === 3, { what: "all were stored" });
    expect(database.groups.map(({ keys }) => keys)).toEqual([["m1", "m2", "n1", "n2"], ["m3"]]);
  });

  test("count what the part keeps", async () => {
    const all = commits();
    for (const id of [1, 2, 3]) all.append(message(id));
    await until(() => answers.length === 3, { what: "all were stored" });
    expect(all.messages).toBe(3);
    all.append({ ...plainChange(2, undefined), messages: -1, bytes: 1 });
    await until(() => all.messages === 2, { what: "the message was gone" });
  });
});

describe("a disk that fails", () => {
  test("refuses publishes, keeps everything else, and goes on once it is well", async () => {
    const all = commits();
    database.failure = FULL;
    let written = 0;
    all.append(message(1));
    all.append({ ...note("n1"), onWritten: () => (written += 1) });
    await until(() => answers.length === 1, { what: "the publish was refused" });
    expect(answers).toEqual(["1 ERR_BACKLOG_FULL"]);
    expect(errors.map(({ code, retryable }) => [code, retryable])).toEqual([["ERR_BACKLOG_FULL", true]]);
    expect(written).toBe(1);
    all.append(message(2));
    all.append(note("n2"));
    await until(() => answers.length === 2, { what: "the next was refused too" });
    database.failure = undefined;
    clock.advance(1_000);
    await until(() => database.groups.length === 1, { what: "what was kept was written" });
    // The refused one may be in the log all the same: it is removed.
    expect(database.groups[0]?.keys).toEqual(["m1", "n1", "n2"]);
    expect(database.keys).toEqual(["n1", "n2"]);
    expect(written).toBe(1);
    all.append(message(3));
    await until(() => answers.length === 3, { what: "publishes went on" });
    expect(answers[2]).toBe("3 stored");
    expect(all.messages).toBe(1);
    expect(database.opened).toBe(1);
  });

  test("that stays full is tried again and again", async () => {
    const all = commits();
    database.failure = FULL;
    all.append(note("n1"));
    for (let second = 0; second < 3; second += 1) {
      await until(() => clock.timers === 1, { what: "another attempt was planned" });
      clock.advance(1_000);
    }
    await until(() => clock.timers === 1, { what: "another attempt was planned" });
    database.failure = undefined;
    clock.advance(1_000);
    await until(() => database.keys.length === 1, { what: "the note was written" });
  });

  test('makes publishes wait with whenFull "wait", in order', async () => {
    const all = commits({ whenFull: "wait" });
    database.failure = FULL;
    all.append(message(1));
    await until(() => clock.timers === 1, { what: "another attempt was planned" });
    all.append(message(2));
    expect(answers).toEqual([]);
    database.failure = undefined;
    clock.advance(1_000);
    await until(() => answers.length === 2, { what: "both were stored" });
    expect(answers).toEqual(["1 stored", "2 stored"]);
    expect(database.keys).toEqual(["m1", "m2"]);
    expect(all.messages).toBe(2);
  });

  test("for another reason refuses with ERR_STORAGE, whatever whenFull says", async () => {
    const all = commits({ whenFull: "wait" });
    database.failure = "IO error: Input/output error";
    all.append(message(1));
    await until(() => answers.length === 1, { what: "the publish was refused" });
    expect(answers).toEqual(["1 ERR_STORAGE"]);
    expect(errors[0]?.message).toContain("Input/output error");
  });

  test("at the end refuses who waits, and says what could not be written", async () => {
    const all = commits({ whenFull: "wait" });
    database.failure = FULL;
    all.append(message(1));
    await until(() => clock.timers === 1, { what: "another attempt was planned" });
    await all.close();
    expect(answers).toEqual(["1 ERR_BACKLOG_FULL"]);
    expect(clock.timers).toBe(0);
  });
});

test("the end writes what is left, synced, and refuses what comes later", async () => {
  const all = commits();
  all.append(note("n1"));
  all.append(message(1));
  await all.close();
  expect(database.groups).toEqual([{ keys: ["n1", "m1"], sync: true }]);
  expect(answers).toEqual(["1 stored"]);
  all.append(message(2));
  await until(() => answers.length === 2, { what: "the late one was refused" });
  expect(answers[1]).toBe("2 ERR_NOT_CONNECTED");
});
