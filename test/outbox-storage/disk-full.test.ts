import { execFileSync } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, type TestContext, test } from "vitest";
import { until } from "../../src/testing/conformance/until.ts";
import { openStored, storageFolder } from "./support.ts";

const BODY_BYTES = 64 * 1024;

/** A small disk of its own, in memory; skips the test, with the reason, where none can be mounted. */
async function smallDisk(context: TestContext, mebibytes: number): Promise<string> {
  const folder = await storageFolder();
  await mkdir(folder, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder], { stdio: "pipe" });
  } catch {
    const reason = "skipped: mounting a small disk needs root";
    process.stdout.write(`${reason}\n`);
    context.skip(reason);
  }
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  return folder;
}

/** Fills the disk but for so many bytes; resolves with the file to remove. */
async function fill(disk: string, leave: number): Promise<string> {
  const { bavail, bsize } = await statfs(disk);
  const path = join(disk, "filler");
  await writeFile(path, Buffer.alloc(Math.max(0, bavail * bsize - leave)));
  return path;
}

test("a full disk refuses publishes with ERR_BACKLOG_FULL, loses nothing, and is used again once it has room", async (context) => {
  const disk = await smallDisk(context, 32);
  const folder = join(disk, "storage");
  const { broker, errors } = await openStored(folder, {}, { drainTimeoutMs: 2_000 });
  await broker.createQueue("t", "q");
  const filler = await fill(disk, 2 * 1024 * 1024);
  const stored: string[] = [];
  let refused: unknown;
  for (let n = 0; refused === undefined && n < 1_000; n += 1) {
    try {
      await broker.publish("t", { body: Buffer.alloc(BODY_BYTES, n) }, { id: `m${n}` });
      stored.push(`m${n}`);
    } catch (error) {
      refused = error;
    }
  }
  expect(refused).toMatchObject({ code: "ERR_BACKLOG_FULL", retryable: true });
  expect(stored.length).toBeGreaterThan(5);
  expect(errors[0]?.code).toBe("ERR_BACKLOG_FULL");
  // Delivering goes on without the disk.
  const got: string[] = [];
  const subscriber = await broker.subscribe("t", (delivery) => void got.push(delivery.id), {
    queue: "q",
    concurrency: 1,
  });
  await until(() => got.length === stored.length, { what: "what is stored was delivered" });
  expect(got).toEqual(stored);
  await subscriber.unsubscribe();
  await rm(filler);
  const again = await until(
    () =>
      broker.publish("t", { body: "again" }, { id: "again" }).then(
        ({ state }) => state,
        () => undefined,
      ),
    { what: "there was room again", deadlineMs: 20_000 },
  );
  expect(again).toBe("waiting");
  await broker.disconnect();

  const next = await openStored(folder);
  expect(next.errors).toEqual([]);
  expect(await next.broker.queues.list()).toMatchObject([{ queue: "q", messages: 1 }]);
}, 60_000);

test('a full disk makes publishes wait with whenFull "wait"', async (context) => {
  const disk = await smallDisk(context, 24);
  const { broker } = await openStored(join(disk, "storage"), {}, { whenFull: "wait", drainTimeoutMs: 2_000 });
  const filler = await fill(disk, 512 * 1024);
  const publishes = Array.from({ length: 20 }, (_one, n) =>
    broker.publish("t", { body: Buffer.alloc(BODY_BYTES) }, { id: `m${n}` }),
  );
  const answered = Promise.all(publishes);
  const early = await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 1_500, "waiting"))]);
  expect(early).toBe("waiting");
  await rm(filler);
  expect((await answered).map(({ state }) => state)).toEqual(Array(20).fill("waiting"));
  const got: string[] = [];
  await broker.subscribe("t", (delivery) => void got.push(delivery.id), { concurrency: 1 });
  await until(() => got.length === 20, { what: "all arrived" });
  expect(got).toEqual(Array.from({ length: 20 }, (_one, n) => `m${n}`));
}, 60_000);

test("a disk without room to begin with is an error that says so", async (context) => {
  const disk = await smallDisk(context, 4);
  await fill(disk, 0);
  await expect(openStored(join(disk, "storage"))).rejects.toMatchObject({
    code: "ERR_STORAGE",
    message: expect.stringMatching(/no space left/i),
  });
});
