import { watch } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { local } from "../../../src/registries/local/index.ts";
import { registryBehaviour } from "./behaviour.ts";
import { collect, eventually, expectRefusal, ids, node, service, temporaryFolder } from "./helpers.ts";

registryBehaviour("local", async () => local({ folder: await temporaryFolder() }));

async function onlyFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  expect(names).toHaveLength(1);
  return join(folder, names[0] ?? "");
}

test("instances see each other's records at once, each with a file of its own", async () => {
  const folder = await temporaryFolder();
  const [a, b] = [local({ folder }), local({ folder })];
  const heard = await collect(b);
  await a.register(service("orders", ["a"]));
  expect(await ids(b, "orders")).toEqual(["a"]);
  await b.register(service("orders", ["b"]));
  expect(await ids(a, "orders")).toEqual(["a", "b"]);
  expect(await readdir(folder)).toHaveLength(2);
  await eventually(() => expect(heard).toEqual(["create orders@1 a", "create orders@1 b"]));
});

test("of two instances' records of one node the newest counts, and the other is there when it is gone", async () => {
  const folder = await temporaryFolder();
  const [a, b] = [local({ folder }), local({ folder })];
  await a.register(service("orders", [], { nodes: [node("x", { by: "a" })] }));
  const now = Date.now();
  await eventually(() => expect(Date.now()).toBeGreaterThan(now));
  await b.register(service("orders", [], { nodes: [node("x", { by: "b" })] }));
  expect((await a.getService("orders"))[0]?.nodes).toEqual([node("x", { by: "b" })]);
  await b.deregister(service("orders", ["x"]));
  expect((await b.getService("orders"))[0]?.nodes).toEqual([node("x", { by: "a" })]);
});

test("files and folder are this user's alone", async () => {
  const folder = await temporaryFolder();
  await local({ folder }).register(service("orders", ["a"]));
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(await onlyFile(folder))).mode & 0o777).toBe(0o600);
});

test("a look-up does not create the folder", async () => {
  const folder = await temporaryFolder();
  expect(await local({ folder }).listServices()).toEqual([]);
  await expect(stat(folder)).rejects.toMatchObject({ code: "ENOENT" });
});

test("the file goes with the last record", async () => {
  const folder = await temporaryFolder();
  const registry = local({ folder });
  await registry.register(service("orders", ["a", "b"]));
  await registry.deregister(service("orders", ["a"]));
  await onlyFile(folder);
  await registry.deregister(service("orders", ["b"]));
  expect(await readdir(folder)).toEqual([]);
});

test("many registrations at once are few writes", async () => {
  const folder = await temporaryFolder();
  const registry = local({ folder });
  await registry.register(service("orders", ["first"]));
  const writes = new Set<string>();
  const watcher = watch(folder, (_type, name) => name?.endsWith(".tmp") && writes.add(name));
  await Promise.all(Array.from({ length: 300 }, (_, index) => registry.register(service("orders", [`node-${index}`]))));
  expect(await ids(registry, "orders")).toHaveLength(301);
  await eventually(() => expect(writes.size).toBeGreaterThan(0));
  watcher.close();
  expect(writes.size).toBeLessThan(5);
});

test("a folder that is removed is made again, and watched again", async () => {
  const folder = await temporaryFolder();
  const [a, b] = [local({ folder }), local({ folder })];
  const heard = await collect(b);
  await a.register(service("orders", ["a"]));
  await eventually(() => expect(heard).toEqual(["create orders@1 a"]));
  await rm(folder, { recursive: true });
  await eventually(() => expect(heard).toEqual(["create orders@1 a", "delete orders@1 a"]), 10_000);
  await a.register(service("orders", ["a"]));
  expect(await ids(b, "orders")).toEqual(["a"]);
  await eventually(() => expect(heard).toHaveLength(3), 10_000);
}, 30_000);

describe("standing records", () => {
  const queue = service("queues", [], { nodes: [{ id: "billing", address: "", metadata: { queue: "billing" } }] });

  test("have files of their own that any instance may replace and remove", async () => {
    const folder = await temporaryFolder();
    const [a, b] = [local({ folder }), local({ folder })];
    await a.register(queue, { standing: true });
    const path = await onlyFile(folder);
    await b.register(queue, { standing: true, ttlMs: 3_600_000 });
    expect(await onlyFile(folder)).toBe(path);
    expect(await a.getService("queues")).toEqual([queue]);
    await b.deregister(queue);
    expect(await a.getService("queues")).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  test("end with their TTL", async () => {
    const folder = await temporaryFolder();
    const heard = await collect(local({ folder }));
    await local({ folder }).register(queue, { standing: true, ttlMs: 100 });
    await eventually(() => expect(heard).toEqual(["create queues@1 billing", "delete queues@1 billing"]));
  });

  test("are replaced by an ordinary record of the same node, and the other way round", async () => {
    const folder = await temporaryFolder();
    const registry = local({ folder });
    for (const standing of [false, true, false, true]) {
      await registry.register(queue, { standing });
      expect((await onlyFile(folder)).includes("standing-")).toBe(standing);
    }
  });

  test("that expired a while ago are removed from the disk", async () => {
    const folder = await temporaryFolder();
    const registry = local({ folder });
    await registry.register(queue, { standing: true, ttlMs: 1 });
    const path = await onlyFile(folder);
    const content = JSON.parse(await readFile(path, "utf8")) as { records: { expiresAt: number }[] };
    for (const record of content.records) record.expiresAt -= 120_000;
    await writeFile(path, JSON.stringify(content));
    const past = Date.now() / 1000 - 120;
    await utimes(path, past, past);
    expect(await registry.listServices()).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("too many records for a file", () => {
  test("are refused, and the others stay", async () => {
    const folder = await temporaryFolder();
    const registry = local({ folder });
    const large = { text: "x".repeat(5 * 1024 * 1024) };
    await registry.register(service("orders", [], { nodes: [node("a", large)] }));
    await registry.register(service("orders", [], { nodes: [node("a", large)] }));
    await expectRefusal(
      registry.register(service("orders", [], { nodes: [node("b", large)] })),
      /at most 8388608 bytes/,
    );
    expect(await ids(registry, "orders")).toEqual(["a"]);
    await registry.deregister(service("orders", ["a"]));
    await registry.register(service("orders", [], { nodes: [node("b", large)] }));
    expect(await ids(registry, "orders")).toEqual(["b"]);
  });
});

describe("the default folder", () => {
  async function withEnvironment(
    environment: Record<string, string | undefined>,
    run: () => Promise<void>,
  ): Promise<void> {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    try {
      await run();
    } finally {
      vi.unstubAllEnvs();
    }
  }

  test("is the one that the environment names", async () => {
    const folder = await temporaryFolder();
    await withEnvironment({ TIDINGS_LOCAL_REGISTRY_FOLDER: folder }, async () => {
      await local().register(service("orders", ["a"]));
    });
    expect(await ids(local({ folder }), "orders")).toEqual(["a"]);
  });

  test("is in the user's run-time folder", async () => {
    const runtime = await temporaryFolder();
    await mkdir(runtime, { mode: 0o700 });
    const environment = { TIDINGS_LOCAL_REGISTRY_FOLDER: undefined, XDG_RUNTIME_DIR: runtime };
    await withEnvironment(environment, async () => {
      await local().register(service("orders", ["a"]));
    });
    expect(await ids(local({ folder: join(runtime, "tidings") }), "orders")).toEqual(["a"]);
  });

  test.each(["missing", "relative"])("is a temporary one when the run-time folder is %s", async (kind) => {
    const temporary = await temporaryFolder();
    await mkdir(temporary, { mode: 0o700 });
    const runtime = kind === "missing" ? join(temporary, "nothing") : "here";
    const environment = { TIDINGS_LOCAL_REGISTRY_FOLDER: "", XDG_RUNTIME_DIR: runtime, TMPDIR: temporary };
    await withEnvironment(environment, async () => {
      await local().register(service("orders", ["a"]));
    });
    expect(await readdir(temporary)).toEqual([`tidings-${process.getuid?.()}`]);
  });
});
