import { spawn } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { registryFolder } from "../support/brokers.ts";
import { exchange, listener } from "./pair.ts";

/** A user of the host whom nobody has given anything. */
const NOBODY = 65_534;

/**
 * Tries, as another user, to read the registry and its secret, and to get in without it. Node alone: nothing of Tidings is
 * readable for that user where tests run.
 */
const PROGRAM = `
  const { readdirSync, readFileSync } = require("node:fs");
  const { request } = require("node:http");
  const [folder, address] = process.argv.slice(2);
  const tried = {};
  for (const [name, read] of [["folder", () => readdirSync(folder)], ["secret", () => readFileSync(folder + "/secret")]])
    try { read(); tried[name] = "read"; } catch (error) { tried[name] = error.code; }
  const [host, port] = address.split(":");
  const headers = { Connection: "Upgrade", Upgrade: "tidings", "Tidings-Versions": "1", "Tidings-Peer": "p",
    "Tidings-Address": "127.0.0.1:1", "Tidings-Max-Message-Bytes": "1000", "Tidings-Idle-Ms": "60000" };
  const ask = (more, then) => {
    const asked = request({ host, port, path: "/_tidings/wire", headers: { ...headers, ...more } });
    asked.on("response", (response) => { response.resume(); then(String(response.statusCode)); });
    asked.on("upgrade", (_response, socket, head) => {
      let came = head;
      socket.on("data", (data) => { came = Buffer.concat([came, data]); });
      socket.on("close", () => then("closed after " + came.subarray(6).toString("latin1")));
      // A proof of zeros, and a message right behind it.
      socket.write(Buffer.concat([Buffer.from([33, 0, 0, 0, 1]), Buffer.alloc(32), Buffer.from([8, 0, 0, 0, 0x20, 0, 0x74, 0x2e, 0x78])]));
    });
    asked.end();
  };
  ask({}, (unproved) => ask({ "Tidings-Challenge": "0".repeat(64) }, (proved) => {
    console.log(JSON.stringify({ ...tried, uid: process.getuid(), unproved, proved }));
  }));
`;

test("another user of the host can neither read the secret nor get in without it", async (context) => {
  if (process.getuid?.() !== 0) context.skip("only root can start a process of another user");
  const folder = await registryFolder();
  const one = await listener(folder);
  await exchange(one, await listener(folder));
  // The way to the folder is open; the folder itself must not be.
  await chmod(dirname(folder), 0o755);
  const program = join(dirname(folder), "public");
  await mkdir(program, { mode: 0o755 });
  await writeFile(join(program, "try.cjs"), PROGRAM, { mode: 0o644 });
  const child = spawn(process.execPath, [join(program, "try.cjs"), folder, one.broker.address], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: "/",
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.on("data", (data) => {
    said.out += String(data);
  });
  child.stderr.on("data", (data) => {
    said.err += String(data);
  });
  await new Promise((resolve) => child.once("close", resolve));
  expect(said.err).toBe("");
  expect(JSON.parse(said.out)).toEqual({
    folder: "EACCES",
    secret: "EACCES",
    uid: NOBODY,
    unproved: "401",
    proved: expect.stringMatching(/the proof is wrong$/),
  });
  expect(one.errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(/refused: it does not want the secret proved/),
    expect.stringMatching(/refused: it could not prove that it knows the shared secret/),
  ]);
  expect(one.heard).toEqual(["from one", "from other"]);
});
