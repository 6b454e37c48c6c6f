import { rmSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { local } from "../../../src/registries/local/index.ts";
import { collect, eventually, ids, service, temporaryFolder } from "./helpers.ts";

test("standing records are put back also when somebody registers before anybody has noticed", async () => {
  const folder = await temporaryFolder();
  const [here, there] = [local({ folder }), local({ folder })];
  const heard = await collect(here, "queues");
  await here.register(service("orders", ["here"]));
  await there.register(service("orders", ["there"]));
  await there.register(service("queues", ["q"]), { standing: true });
  await eventually(() => expect(heard).toEqual(["create queues@1 q"]));
  rmSync(folder, { recursive: true });
  await there.register(service("orders", ["there"]));
  await eventually(async () => expect(await ids(there, "queues")).toEqual(["q"]));
  expect(await ids(here, "orders")).toEqual(["here", "there"]);
  expect(heard).toEqual(["create queues@1 q"]);
});

test("a folder that is removed file by file is put back whole, whatever goes first", async () => {
  const folder = await temporaryFolder();
  const registry = local({ folder });
  const heard = await collect(registry, "queues");
  const secret = await registry.secret?.();
  await registry.register(service("orders", ["here"]));
  await registry.register(service("queues", ["q"]), { standing: true });
  for (const isFirst of [(name: string) => name.startsWith("s"), (name: string) => !name.startsWith("s")]) {
    const names = await readdir(folder);
    for (const name of names.toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a)))) {
      await rm(join(folder, name), { force: true });
      // Long enough for whoever watches to look, and less than it waits then.
      await setTimeout(50);
    }
    await eventually(async () => expect(await readdir(folder)).toEqual(expect.arrayContaining(names)));
  }
  expect(await ids(registry, "queues")).toEqual(["q"]);
  expect(await local({ folder }).secret?.()).toEqual(secret);
  expect(heard).toEqual(["create queues@1 q"]);
});

test("a standing record that anybody takes back stays away", async () => {
  const folder = await temporaryFolder();
  const [here, there] = [local({ folder }), local({ folder })];
  const heard = await collect(here, "queues");
  await here.register(service("orders", ["here"]));
  await there.register(service("queues", ["q", "r"]), { standing: true });
  await eventually(() => expect(heard).toEqual(["create queues@1 q,r"]));
  await there.deregister(service("queues", ["q"]));
  await eventually(async () => expect(await ids(here, "queues")).toEqual(["r"]));
  await here.deregister(service("queues", ["r"]));
  expect(await ids(here, "queues")).toEqual([]);
});
