import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { local } from "../../../src/registries/local/index.ts";
import type { Registry } from "../../../src/registry.ts";
import { expectRefusal, ids, service, temporaryFolder } from "./helpers.ts";

const isRoot = process.getuid?.() === 0;

/** Every call of a registry that touches its folder. */
function calls(registry: Registry): (() => Promise<unknown>)[] {
  return [
    () => registry.register(service("orders", ["a"])),
    () => registry.register(service("orders", ["a"]), { standing: true }),
    () => registry.deregister(service("unknown", ["a"])),
    () => registry.getService("orders"),
    () => registry.listServices(),
    () => registry.watch(() => {}),
    () => secretOf(registry),
  ];
}

async function secretOf(registry: Registry): Promise<Uint8Array | undefined> {
  return registry.secret?.();
}

describe("the folder is refused", () => {
  test.runIf(isRoot)("when it belongs to another user", async () => {
    const folder = await temporaryFolder();
    await mkdir(folder, { mode: 0o700 });
    await chown(folder, 12_345, 12_345);
    for (const call of calls(local({ folder }))) await expectRefusal(call(), /belongs to user 12345, not to user 0/);
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([0o750, 0o705, 0o701, 0o777])("when others may use it (mode %o)", async (mode) => {
    const folder = await temporaryFolder();
    await mkdir(folder);
    await chmod(folder, mode);
    for (const call of calls(local({ folder }))) await expectRefusal(call(), /open to other users .*chmod 700/);
    await chmod(folder, 0o700);
    expect(await readdir(folder)).toEqual([]);
  });

  test.each(["", "/"])("when it is a symbolic link, also with %o behind its name", async (suffix) => {
    const folder = await temporaryFolder();
    await mkdir(`${folder}-target`, { mode: 0o700 });
    await symlink(`${folder}-target`, folder);
    for (const call of calls(local({ folder: folder + suffix }))) await expectRefusal(call(), /is a symbolic link/);
    expect(await readdir(`${folder}-target`)).toEqual([]);
  });

  test("when it is a file", async () => {
    const folder = await temporaryFolder();
    await writeFile(folder, "");
    for (const call of calls(local({ folder }))) await expectRefusal(call(), /is not a folder/);
  });

  test("when that changes while it is in use", async () => {
    const folder = await temporaryFolder();
    const registry = local({ folder });
    await registry.register(service("orders", ["a"]));
    await chmod(folder, 0o755);
    for (const call of calls(registry)) await expectRefusal(call(), /open to other users/);
    await chmod(folder, 0o700);
    expect(await ids(registry, "orders")).toEqual(["a"]);
  });
});

describe("the secret", () => {
  test("is 32 bytes that all instances share and only this user may read", async () => {
    const folder = await temporaryFolder();
    const secret = await secretOf(local({ folder }));
    expect(secret).toHaveLength(32);
    expect(await secretOf(local({ folder }))).toEqual(secret);
    expect(new Uint8Array(await readFile(join(folder, "secret")))).toEqual(secret);
    expect((await stat(join(folder, "secret"))).mode & 0o777).toBe(0o600);
    expect(await secretOf(local({ folder: await temporaryFolder() }))).not.toEqual(secret);
  });

  test("is refused when others may read it", async () => {
    const folder = await temporaryFolder();
    await secretOf(local({ folder }));
    await chmod(join(folder, "secret"), 0o640);
    await expectRefusal(secretOf(local({ folder })), /secret is open to other users .*rm /);
  });

  test.runIf(isRoot)("is refused when it belongs to another user", async () => {
    const folder = await temporaryFolder();
    await secretOf(local({ folder }));
    await chown(join(folder, "secret"), 12_345, 12_345);
    await expectRefusal(secretOf(local({ folder })), /secret belongs to user 12345/);
  });

  test.each(["", "too short", "x".repeat(33)])("is refused when it is damaged: %o", async (content) => {
    const folder = await temporaryFolder();
    await mkdir(folder, { mode: 0o700 });
    await writeFile(join(folder, "secret"), content, { mode: 0o600 });
    await expectRefusal(secretOf(local({ folder })), /is damaged/);
  });

  test.each(["elsewhere", "nowhere"])("is refused when it is a symbolic link to %s", async (target) => {
    const folder = await temporaryFolder();
    await mkdir(folder, { mode: 0o700 });
    if (target === "elsewhere") await writeFile(`${folder}-elsewhere`, "x".repeat(32), { mode: 0o600 });
    await symlink(`${folder}-${target}`, join(folder, "secret"));
    await expectRefusal(secretOf(local({ folder })), /is a symbolic link/);
  });
});
