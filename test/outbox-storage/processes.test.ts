import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../src/testing/conformance/random.ts";
import { pause, until } from "../../src/testing/conformance/until.ts";
import { openBroker, registryFolder } from "../http/support/brokers.ts";
import { Worker } from "../http/support/worker.ts";
import { Publisher, type PublisherOptions } from "./publisher.ts";
import { named, storageFolder } from "./support.ts";

const FULL = process.env["TIDINGS_TEST_PROFILE"] === "full";

/** How often a process is killed, and how long that takes, in milliseconds. */
const KILLS = FULL ? { count: 30, overMs: 60_000 } : { count: 8, overMs: 8_000 };

const QUEUES = [
  { topic: "kill.a", queue: "qa" },
  { topic: "kill.b", queue: "qb" },
] as const;

/** A member of both queues, whatever attempt a message is at. */
async function startMember(registry: string): Promise<Worker> {
  const member = await Worker.connected(registry);
  for (const { topic, queue } of QUEUES)
    await member.subscribe(topic, queue, { queue, maxAttempts: 10_000, backoffMs: 10 });
  return member;
}

describe("processes killed with SIGKILL at random", () => {
  test("lose no message whose publish resolved, and give none to the wrong queue", async () => {
    const registry = await registryFolder();
    const random = createRandom(20_261_122);
    const options: PublisherOptions = {
      registry,
      folder: await storageFolder(),
      prefix: "",
      topics: QUEUES.map(({ topic }) => topic),
      pauseMs: 5,
    };
    const publishers: Publisher[] = [];
    const startPublisher = async () => {
      publishers.push(await Publisher.start({ ...options, prefix: `p${publishers.length}` }));
    };
    const members = [await startMember(registry), await startMember(registry)];
    const all = [...members];
    await startPublisher();
    let killed = 0;
    for (; killed < KILLS.count; killed += 1) {
      await pause(random.below((2 * KILLS.overMs) / KILLS.count));
      const victim = random.below(3);
      if (victim === 2) {
        await publishers.at(-1)?.end("SIGKILL");
        await startPublisher();
        continue;
      }
      const member = members[victim] as Worker;
      member.kill("SIGKILL");
      await member.exited();
      const next = await startMember(registry);
      members[victim] = next;
      all.push(next);
    }
    await publishers.at(-1)?.stop();
    const stored = publishers.flatMap((one) => one.stored);
    const handled = () => new Set(all.flatMap(({ done }) => done));
    const missing = () => {
      const done = handled();
      return stored.filter((text) => !done.has(text));
    };
    await until(() => missing().length === 0, {
      what: "every message whose publish had resolved was handled",
      deadlineMs: 120_000,
      detail: () => `${missing().length} of ${stored.length} are missing, first ${missing().slice(0, 5)}`,
    });
    for (const { got } of all)
      for (const { name, text } of got) expect(text.startsWith(`kill.${name.slice(1)}/`)).toBe(true);
    expect(stored.length).toBeGreaterThan(100);
    const publisherKills = publishers.length - 1;
    process.stdout.write(`${stored.length} stored messages, ${killed} kills, ${publisherKills} of the publisher\n`);
  }, 400_000);
});

describe("a publisher killed with SIGKILL", () => {
  test("and started again delivers to a broadcast subscriber that still lives, and gives up what was for one that is gone", async () => {
    const registry = await registryFolder();
    const folder = await storageFolder();
    const living = await openBroker(registry);
    const got: string[] = [];
    let shut = true;
    await living.broker.subscribe(
      "t",
      (delivery) => {
        if (shut) throw new Error("not yet");
        got.push(delivery.text());
      },
      { backoffMs: 500, maxAttempts: 100 },
    );
    const dying = await Worker.connected(registry);
    await dying.ask("shut");
    await dying.subscribe("t", "dying");
    const publisher = await Publisher.start({ registry, folder, prefix: "x", topics: ["t"], limit: 3 });
    await publisher.said("stopped");
    await publisher.end("SIGKILL");
    dying.kill("SIGKILL");
    await dying.exited();
    shut = false;
    const heir = await openBroker(registry, { storage: folder });
    await until(() => got.length >= 3 && heir.givenUp.length >= 3, {
      what: "the living had all, and the rest was given up",
      detail: () => JSON.stringify([got, heir.givenUp]),
    });
    expect(new Set(got)).toEqual(new Set(publisher.stored));
    expect(new Set(heir.givenUp.map(({ reason }) => reason))).toEqual(new Set(["its subscriber is gone"]));
    expect(heir.givenUp).toHaveLength(3);
  }, 60_000);

  test("leaves what it kept to another instance that runs on", async () => {
    const registry = await registryFolder();
    const folder = await storageFolder();
    const staying = await openBroker(registry, { storage: folder });
    const publisher = await Publisher.start({ registry, folder, prefix: "x", topics: ["nobody.yet"], limit: 200 });
    await publisher.said("stopped");
    expect(publisher.stored).toHaveLength(200);
    const got: string[] = [];
    await staying.broker.subscribe("other", () => {});
    await publisher.end("SIGKILL");
    await until(async () => (await named(folder, "part-")).length === 1, {
      what: "the part was taken over",
      deadlineMs: 30_000,
    });
    await staying.broker.subscribe("nobody.yet", (delivery) => void got.push(delivery.text()), { concurrency: 1 });
    await until(() => got.length >= 200, { what: "all arrived" });
    // In the order of publishing: its publishes were answered in that order.
    expect(got).toEqual(Array.from({ length: 200 }, (_one, n) => `nobody.yet/x-${n}`));
    expect(staying.errors).toEqual([]);
  }, 60_000);

  test("by a message of its own every time ends with that message as a dead letter", async () => {
    const registry = await registryFolder();
    const folder = await storageFolder();
    const starts: number[] = [];
    for (let life = 0; life < 6; life += 1) {
      const worker = await Worker.connected(registry, { storage: folder });
      const kill = () => worker.got.length > 0 && worker.kill("SIGKILL");
      await worker.ask("shut");
      await worker.subscribe("t", "q", { queue: "q", maxAttempts: 3 });
      if (life === 0) await worker.publish({ topic: "t", prefix: "m", count: 1 });
      const dead = async () => (await worker.ask<object[]>("deadLetters", { topic: "dlq.t" })).length === 1;
      await until(async () => worker.got.length > 0 || (await dead()), { what: "it was handled, or dead" });
      if (worker.got.length === 0) break;
      starts.push(worker.got[0]?.attempt ?? 0);
      kill();
      await worker.exited();
    }
    // The first start is not written down before it: a process that dies then costs nothing.
    expect(starts).toEqual([1, 1, 2, 3]);
  }, 120_000);
});

/** Why system calls cannot be looked at; `undefined` where they can. */
function straceMissing(): string | undefined {
  try {
    execFileSync("strace", ["-V"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "skipped: no strace; install it with apt-get install strace";
  }
}

test("a message is synced before its publish resolves, as the system calls show", async (context) => {
  const missing = straceMissing();
  if (missing !== undefined) {
    process.stdout.write(`${missing}\n`);
    context.skip(missing);
  }
  const registry = await registryFolder();
  const trace = `${registry}.trace`;
  const calls = "trace=write,writev,pwrite64,fdatasync,fsync";
  const under = ["strace", "-f", "-y", "-s", "100000", "-e", calls, "-o", trace];
  const folder = await storageFolder();
  const count = 20;
  const publisher = await Publisher.start({
    registry,
    folder,
    prefix: "x",
    topics: ["t"],
    window: 4,
    limit: count,
    under,
  });
  await publisher.said("stopped");
  await publisher.end("SIGTERM");
  const lines = (await readFile(trace, "utf8")).split("\n");
  for (let n = 0; n < count; n += 1) {
    const text = `t/x-${n}`;
    const body = new RegExp(`write.*/data/\\d+\\.log>.*${text}(?!\\d)`);
    const written = lines.findIndex((line) => body.test(line));
    const synced = lines.findIndex((_line, at) => at > written && isLogSynced(lines, at));
    const told = lines.findIndex((line) => line.includes(`stored ${text}\\n`));
    expect([written >= 0, synced > written, told > synced], `${text}: ${[written, synced, told]}`).toEqual([
      true,
      true,
      true,
    ]);
  }
}, 60_000);

/** Whether a line is the end of a sync of a log that succeeded; its beginning may be an earlier line of the same thread. */
function isLogSynced(lines: readonly string[], at: number): boolean {
  const line = lines[at] as string;
  if (!/sync.*\) += 0$/.test(line)) return false;
  if (!line.includes("resumed>")) return line.includes(".log>");
  const [thread] = line.split(" ");
  for (let before = at - 1; before >= 0; before -= 1) {
    const earlier = lines[before] as string;
    if (earlier.startsWith(`${thread} `)) return earlier.includes("sync(") && earlier.includes(".log>");
  }
  return false;
}
