import { spawnSync } from "node:child_process";
import { mkdir, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BrokerError } from "../../src/errors.ts";
import { systemClock } from "../../src/internal/clock.ts";
import { loadLevel } from "../../src/outbox/storage/level.ts";
import { lockWithin, tryLock } from "../../src/outbox/storage/lock.ts";
import { openStorage } from "../../src/outbox/storage/storage.ts";
import { memory } from "../../src/registries/memory.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker } from "../http/support/brokers.ts";
import { named, storageFolder } from "./support.ts";

const OTHER_PROCESS = `
  import { ClassicLevel } from "classic-level";
  const database = new ClassicLevel(process.argv[1]);
  await database.open().then(() => console.log("taken"), (error) => console.log(error.cause?.code));
`;

/** What another process finds when it tries the lock. */
function elsewhere(folder: string): string {
  return spawnSync(process.execPath, ["--input-type=module", "-e", OTHER_PROCESS, folder], {
    encoding: "utf8",
  }).stdout.trim();
}

test("a lock is held once, also against other processes, and stays so when it is asked for again", async () => {
  const folder = join(await storageFolder(), "lock");
  await mkdir(folder, { recursive: true });
  const store = await loadLevel();
  const lock = await tryLock(store, folder);
  expect(elsewhere(folder)).toBe("LEVEL_LOCKED");
  expect(await tryLock(store, folder)).toBe(undefined);
  // LevelDB itself would have lost the lock by that.
  expect(elsewhere(folder)).toBe("LEVEL_LOCKED");
  await lock?.release();
  expect(elsewhere(folder)).toBe("taken");
});

test("a lock is waited for as long as was said", async () => {
  const folder = join(await storageFolder(), "lock");
  const store = await loadLevel();
  const first = await tryLock(store, folder);
  expect(await lockWithin(store, folder, systemClock, 50)).toBe(undefined);
  const waiting = lockWithin(store, folder, systemClock, 20_000);
  await first?.release();
  const second = await waiting;
  expect(second).toBeDefined();
  await second?.release();
});

test("without the package, storage is ERR_MISSING_DEPENDENCY with the command that installs it", async () => {
  const missing = async () => {
    throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  };
  const error = await loadLevel(missing).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BrokerError);
  expect(error).toMatchObject({
    code: "ERR_MISSING_DEPENDENCY",
    message: expect.stringContaining('npm install "classic-level@^3.0.0"'),
  });
  await expect(loadLevel(() => Promise.reject(new TypeError("broken")))).rejects.toBeInstanceOf(TypeError);
});

test("a broker starts on a folder whose parts somebody goes through, and takes over what was left there later", async () => {
  const folder = await storageFolder();
  const registry = memory();
  const first = await openBroker(registry, { storage: folder }, { drainTimeoutMs: 100 });
  await first.broker.createQueue("t", "q");
  await first.broker.publish("t", { body: "left" });
  await first.broker.disconnect();
  const lock = await tryLock(await loadLevel(), join(await realpath(folder), "lock"));
  expect(lock).toBeDefined();
  const second = await openBroker(registry, { storage: folder }, { drainTimeoutMs: 100 });
  const heard: string[] = [];
  await second.broker.subscribe("t", (delivery) => void heard.push(delivery.text()), { queue: "q" });
  await second.broker.publish("t", { body: "new" });
  await until(() => heard.length === 1, { what: "the new message arrived" });
  expect(heard).toEqual(["new"]);
  await lock?.release();
  await until(() => heard.length === 2, { what: "what was left arrived", deadlineMs: 30_000 });
  expect(heard).toEqual(["new", "left"]);
  expect([...first.errors, ...second.errors]).toEqual([]);
}, 60_000);

test("an instance that cannot take the folder's lock as it ends gives its own part free all the same", async () => {
  const folder = await storageFolder();
  const storage = await openStorage({ folder, whenFull: "reject", clock: systemClock, onError: () => {} });
  const [part] = await named(folder, "part-");
  await rm(join(folder, "lock"), { recursive: true, force: true });
  await writeFile(join(folder, "lock"), "in the way");
  await storage.close().catch(() => {});
  expect(elsewhere(join(folder, part as string, "lock"))).toBe("taken");
});
