import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { BrokerOptions } from "../../src/driver.ts";
import type { HttpOptions } from "../../src/drivers/http/index.ts";
import { memory } from "../../src/registries/memory.ts";
import { type OpenBroker, openBroker } from "../http/support/brokers.ts";

/** A path for a storage folder of this test alone; it is removed after the test. */
export async function storageFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "tidings-storage-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  return join(parent, "storage");
}

/** A broker alone with itself that stores in `folder`. */
export function openStored(folder: string, own: HttpOptions = {}, options: BrokerOptions = {}): Promise<OpenBroker> {
  return openBroker(memory(), { storage: folder, ...own }, { drainTimeoutMs: 500, ...options });
}

/** The names in a storage folder that begin so. */
export async function named(folder: string, prefix: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith(prefix)).sort();
}

/** The folder of the database of the only part. */
export async function dataFolder(folder: string): Promise<string> {
  const parts = await named(folder, "part-");
  if (parts.length !== 1) throw new Error(`there are ${parts.length} parts: ${parts}`);
  return join(folder, parts[0] as string, "data");
}
