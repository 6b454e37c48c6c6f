import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { local } from "../../../src/registries/local/index.ts";
import { collect, eventually, ids, service, temporaryFolder } from "./helpers.ts";

const run = promisify(execFile);

interface Peer {
  readonly child: ChildProcess;
  readonly heard: string[];
  readonly ready: string[];
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}.mjs`, import.meta.url));
}

async function startPeer(folder: string, id: string): Promise<Peer> {
  const child = spawn(process.execPath, [fixture("peer"), folder, id], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const heard: string[] = [];
  const ready = await new Promise<string[]>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The peer ended with status ${code}.`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as { heard?: string; ready?: string[] };
      if (told.heard !== undefined) heard.push(told.heard);
      if (told.ready !== undefined) resolve(told.ready);
    });
  });
  return { child, heard, ready };
}

test("processes see each other come and go", async () => {
  const folder = await temporaryFolder();
  const a = await startPeer(folder, "a");
  const b = await startPeer(folder, "b");
  expect(a.ready).toEqual(["a"]);
  expect(b.ready).toEqual(["a", "b"]);
  await eventually(() => expect(a.heard).toEqual(["create a", "create b"]));
  expect(await ids(local({ folder }), "orders")).toEqual(["a", "b"]);
  a.child.stdin?.end();
  await eventually(() => expect(b.heard).toContain("delete a"));
  expect(await ids(local({ folder }), "orders")).toEqual(["b"]);
});

test("a process that is killed is seen to be gone within 2 s, and its file is removed", async () => {
  const folder = await temporaryFolder();
  const heard = await collect(local({ folder }));
  const { child } = await startPeer(folder, "a");
  await eventually(() => expect(heard).toEqual(["create orders@1 a"]));
  child.kill("SIGKILL");
  await once(child, "exit");
  const killedAt = performance.now();
  await eventually(() => expect(heard).toEqual(["create orders@1 a", "delete orders@1 a"]));
  expect(performance.now() - killedAt).toBeLessThan(2_000);
  expect(await readdir(folder)).toEqual([]);
});

test.runIf(process.platform === "linux")("a process that has ended is gone even if its parent never asks", async () => {
  const folder = await temporaryFolder();
  const heard = await collect(local({ folder }));
  // The shell becomes a program that does not wait for the child it got.
  const script = 'tail -f /dev/null | "$0" "$1" "$2" zombie >&2 & echo $!; exec tail -f /dev/null';
  const parent = spawn("sh", ["-c", script, process.execPath, fixture("peer"), folder], {
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  onTestFinished(() => {
    if (parent.pid !== undefined) process.kill(-parent.pid, "SIGKILL");
  });
  const [pid] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
  await eventually(() => expect(heard).toEqual(["create orders@1 zombie"]));
  process.kill(Number(pid), "SIGKILL");
  await eventually(() => expect(heard).toEqual(["create orders@1 zombie", "delete orders@1 zombie"]));
  expect(await readFile(`/proc/${pid}/stat`, "utf8")).toContain(") Z ");
});

test("a look-up without any watcher does not see a process that was killed", async () => {
  const folder = await temporaryFolder();
  const { child } = await startPeer(folder, "a");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await ids(local({ folder }), "orders")).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});

test("what a killed process left half written is removed, be it understood or not", async () => {
  const folder = await temporaryFolder();
  const { child } = await startPeer(folder, "a");
  const [name = ""] = (await readdir(folder)).filter((file) => file.endsWith(".json"));
  const stem = name.slice(0, -".json".length);
  await writeFile(join(folder, name), '{"schema":"tidings-regis', { mode: 0o600 });
  await writeFile(join(folder, `.${stem}.7.tmp`), "half", { mode: 0o600 });
  const registry = local({ folder });
  expect(await ids(registry, "orders")).toEqual([]);
  expect((await readdir(folder)).sort()).toEqual([`.${stem}.7.tmp`, name].sort());
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await ids(registry, "orders")).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});

test.runIf(process.platform === "linux")("a process that got the pid of an ended one is not taken for it", async () => {
  const folder = await temporaryFolder();
  const registry = local({ folder });
  await registry.register(service("orders", ["a"]));
  const [name = ""] = await readdir(folder);
  const [pid = "", start = "", host = "", random = ""] = name.slice(0, -".json".length).split("-");
  expect(pid).toBe(String(process.pid));
  const content = (await readFile(join(folder, name), "utf8")).replaceAll('"a"', '"old"');
  const { child } = await startPeer(folder, "b");
  const reused = `${child.pid}-${Number(start) - 1}-${host}-${random}.json`;
  const ownPid = `${pid}-${Number(start) - 1}-${host}-${random}.json`;
  const foreign = `${child.pid}-${Number(start) - 1}-${"0".repeat(12)}-${random}.json`;
  for (const file of [reused, ownPid]) await writeFile(join(folder, file), content, { mode: 0o600 });
  expect(await ids(registry, "orders")).toEqual(["a", "b"]);
  expect(await readdir(folder)).not.toContain(reused);
  expect(await readdir(folder)).not.toContain(ownPid);
  // Of another pid namespace nothing is known but the TTL.
  await writeFile(join(folder, foreign), content, { mode: 0o600 });
  expect(await ids(registry, "orders")).toEqual(["a", "b", "old"]);
});

test("8 processes that start at once make one secret", async () => {
  const folder = await temporaryFolder();
  const secrets = await Promise.all(
    Array.from({ length: 8 }, async () => (await run(process.execPath, [fixture("secret"), folder])).stdout),
  );
  expect(secrets[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(new Set(secrets).size).toBe(1);
  expect(await readdir(folder)).toEqual(["secret"]);
  expect((await stat(join(folder, "secret"))).mode & 0o777).toBe(0o600);
});

test("a process that has closed everything ends by itself, without a file left", async () => {
  const folder = await temporaryFolder();
  const { stdout } = await run(process.execPath, [fixture("visitor"), folder, "tidy"], { timeout: 20_000 });
  expect(JSON.parse(stdout)).toEqual(["secret"]);
  expect(await readdir(folder)).toEqual(["secret"]);
});

test("records and watches do not keep a process alive, and its file goes with it", async () => {
  const folder = await temporaryFolder();
  const { stdout } = await run(process.execPath, [fixture("visitor"), folder], { timeout: 20_000 });
  expect(JSON.parse(stdout)).toHaveLength(2);
  expect(await readdir(folder)).toEqual(["secret"]);
});
