import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { registryFolder } from "./support/brokers.ts";

const fixture = fileURLToPath(new URL("fixtures/cluster.mjs", import.meta.url));

test("workers of node:cluster have an address each, and reach each other", async () => {
  const env = { ...process.env, TIDINGS_LOCAL_REGISTRY_FOLDER: await registryFolder() };
  const { stdout } = await promisify(execFile)(process.execPath, [fixture], { env, timeout: 30_000 });
  const told: { address?: string; got?: string[]; errors?: string[] }[] = JSON.parse(stdout);
  const addresses = told.flatMap(({ address }) => address ?? []).sort();
  expect(new Set(addresses).size).toBe(3);
  for (const { got, errors } of told.filter((one) => "got" in one)) expect([got, errors]).toEqual([addresses, []]);
});
