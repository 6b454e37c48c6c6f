import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { Monitor } from "../../../src/registries/local/monitor.ts";
import { eventually, temporaryFolder } from "./helpers.ts";

interface Watched {
  readonly monitor: Monitor;
  readonly reports: () => number;
}

function start(path: string, isStale: () => boolean): Watched {
  let reports = 0;
  const monitor = new Monitor(path, isStale, () => {
    reports += 1;
  });
  onTestFinished(() => monitor.close());
  monitor.start();
  return { monitor, reports: () => reports };
}

test("a folder that cannot be watched is reported at every check", async () => {
  const { reports } = start(await temporaryFolder(), () => false);
  await eventually(() => expect(reports()).toBeGreaterThan(1));
});

test("what is out of date by itself is reported", async () => {
  const folder = await temporaryFolder();
  await mkdir(folder);
  let stale = false;
  let asked = 0;
  const { reports } = start(folder, () => {
    asked += 1;
    return stale;
  });
  await eventually(() => expect(asked).toBeGreaterThan(1));
  expect(reports()).toBe(0);
  stale = true;
  await eventually(() => expect(reports()).toBeGreaterThan(0));
});

test("records that appear are reported, temporary files are not, and nothing after close", async () => {
  const folder = await temporaryFolder();
  await mkdir(folder);
  let asked = 0;
  const { monitor, reports } = start(folder, () => {
    asked += 1;
    return false;
  });
  await writeFile(join(folder, ".half.1.tmp"), "half");
  await eventually(() => expect(asked).toBeGreaterThan(0));
  expect(reports()).toBe(0);
  await rename(join(folder, ".half.1.tmp"), join(folder, "whole.json"));
  await eventually(() => expect(reports()).toBe(1));
  monitor.close();
  monitor.close();
  const other = start(folder, () => false);
  await writeFile(join(folder, "more.json"), "more");
  await eventually(() => expect(other.reports()).toBeGreaterThan(0));
  expect(reports()).toBe(1);
});

test("a folder that takes the place of the watched one is watched after the next rescan", async () => {
  const folder = await temporaryFolder();
  await mkdir(folder);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { reports } = start(folder, () => false);
  await rename(folder, `${folder}-old`);
  await mkdir(folder);
  vi.advanceTimersByTime(5_000);
  const before = reports();
  expect(before).toBeGreaterThan(0);
  await writeFile(join(folder, "new.json"), "new");
  // Sooner than the next rescan.
  await vi.waitFor(() => expect(reports()).toBeGreaterThan(before), { timeout: 4_000, interval: 10 });
});

test("a folder that is removed and made again at once, maybe under the same number, is watched after the next rescan", async () => {
  const folder = await temporaryFolder();
  await mkdir(folder);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { reports } = start(folder, () => false);
  await rm(folder, { recursive: true });
  await mkdir(folder);
  await vi.waitFor(() => expect(reports()).toBeGreaterThan(0));
  vi.advanceTimersByTime(5_000);
  const before = reports();
  vi.advanceTimersByTime(4_000);
  expect(reports()).toBe(before);
  await writeFile(join(folder, "new.json"), "new");
  // Sooner than the next rescan.
  await vi.waitFor(() => expect(reports()).toBeGreaterThan(before), { timeout: 900, interval: 10 });
});

test("a folder that cannot be looked at any more is reported at every check, and again when it can be", async () => {
  const parent = await temporaryFolder();
  const folder = join(parent, "registry");
  await mkdir(folder, { recursive: true });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { reports } = start(folder, () => false);
  await rm(parent, { recursive: true });
  await writeFile(parent, "a file in place of the folder that it was in");
  vi.advanceTimersByTime(5_000);
  const before = reports();
  vi.advanceTimersByTime(1_000);
  expect(reports()).toBeGreaterThan(before);
});
