// The go-micro peers: Go programs of this folder, built against go-micro's published modules where a Go toolchain is present.
// Go itself keeps the modules and what it compiled, outside the checkout.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "go");

/** How long a peer may take for one command, in milliseconds. */
const COMMAND_TIMEOUT_MS = 60_000;

/** The versions of go-micro, newest first. `variable` may name a peer that was built already. */
export const VERSIONS = [
  { name: "v6", module: "go-micro.dev/v6", variable: "TIDINGS_INTEROP_PEER_V6" },
  { name: "v4.10", folder: "v4", module: "go-micro.dev/v4", variable: "TIDINGS_INTEROP_PEER_V4" },
  { name: "v2.9", folder: "v2", module: "github.com/micro/go-micro/v2", variable: "TIDINGS_INTEROP_PEER_V2" },
  // With the older wire of the http broker.
  {
    name: "v1.18",
    folder: "v1",
    module: "github.com/micro/go-micro",
    variable: "TIDINGS_INTEROP_PEER_V1",
    oldWire: true,
    lacks: {
      rabbitmq: "this version's RabbitMQ broker is a plugin that is not tried",
      json: "services of this version end at once under today's Go, in a QUIC library that they bring",
      protobuf: "services of this version end at once under today's Go, in a QUIC library that they bring",
    },
  },
];

/** Whether there is a Go toolchain, and where a missing one is a failure. */
export function goToolchain(env = process.env) {
  const { status, stdout, error } = spawnSync("go", ["version"], { encoding: "utf8", env });
  const found = error === undefined && status === 0;
  const required = env.CI === "true" || env.TIDINGS_TEST_ENGINES === "install";
  return { found, required, version: found ? stdout.trim() : undefined };
}

/**
 * Builds the peer of one version, or finds the one that its variable names.
 * @param timeoutMs how long that may take, in milliseconds: the first time Go compiles all of go-micro
 * @returns `{ path }`, or `{ reason }` why there is none
 */
export function buildPeer(version, timeoutMs, env = process.env) {
  const given = env[version.variable];
  if (given) return existsSync(given) ? { path: given } : { reason: `${version.variable} names no program` };
  if (!goToolchain(env).found) return { reason: "no Go toolchain" };
  const late = { reason: `${version.module}: not built in time; Go goes on from there the next time` };
  if (timeoutMs <= 0) return late;
  const source = join(folder, version.folder ?? version.name);
  const build = join(env.TIDINGS_INTEROP_FOLDER ?? join(tmpdir(), `tidings-interop-${process.getuid?.() ?? 0}`));
  mkdirSync(build, { recursive: true, mode: 0o700 });
  // What the versions share is laid into each folder for the compiler only.
  const overlay = join(build, `${version.name}.json`);
  writeFileSync(overlay, JSON.stringify({ Replace: { [join(source, "peer.go")]: join(folder, "peer.go") } }));
  const path = join(build, `peer-${version.name}`);
  const result = spawnSync("nice", ["go", "build", "-p", "1", "-overlay", overlay, "-o", path, "."], {
    cwd: source,
    encoding: "utf8",
    timeout: Math.ceil(timeoutMs),
    env: { ...env, GOFLAGS: "-mod=mod -buildvcs=false", GOTOOLCHAIN: "local" },
  });
  if (result.status === 0) return { path };
  if (result.error?.code === "ETIMEDOUT") return late;
  return { reason: `${version.module}: ${lastWords(result.error?.message ?? result.stderr)}` };
}

/** What Go said at last, on one line; the words of a registry that refused a module among it. */
function lastWords(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("go: downloading"));
  return lines
    .slice(-2)
    .map((line) => line.trim().replace(/https?:\/\/[^/\s]+\//g, ""))
    .join("; ");
}

/** A running go-micro peer. */
export class GoPeer {
  /** Every line with an event that is no answer: messages, changes. */
  lines = [];
  errors = [];
  #child;
  #waiting = new Map();
  #commands = 0;
  #ready;
  #listeners = new Set();

  constructor(path, args = []) {
    this.#child = spawn(path, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.on("data", (text) => this.errors.push(String(text)));
    this.#ready = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("exit", (code, signal) => {
        const error = new Error(`the peer ended (${code ?? signal}): ${this.errors.join("").slice(-500)}`);
        reject(error);
        for (const { reject: fail } of this.#waiting.values()) fail(error);
      });
      createInterface({ input: this.#child.stdout }).on("line", (text) => {
        // go-micro logs to the same place; its lines are no JSON of ours.
        if (!text.startsWith('{"event":')) return;
        const line = JSON.parse(text);
        if (line.event === "ready") resolve(line.detail);
        else if (line.event === "done" || line.event === "error") this.#answer(line);
        else {
          this.lines.push(line);
          for (const listener of this.#listeners) listener(line);
        }
      });
    });
    this.#ready.catch(() => {});
  }

  /** Resolves with the version when it runs. */
  get ready() {
    return this.#ready;
  }

  /** Calls `listener` for every message and change. */
  on(listener) {
    this.#listeners.add(listener);
  }

  /** Has it do something; resolves when it is done, with the lines that came of it (`services`). */
  async do(command) {
    await this.#ready;
    this.#commands += 1;
    const id = command.id ?? `c${this.#commands}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${command.do} took too long`)), COMMAND_TIMEOUT_MS);
      const settle = (how) => (value) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        how(value);
      };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#child.stdin.write(`${JSON.stringify({ ...command, id })}\n`);
    });
  }

  /** What the registry says of a service, by this peer. */
  async services(name) {
    const before = this.lines.length;
    await this.do(name === undefined ? { do: "list" } : { do: "get", name });
    return this.lines.slice(before).find((line) => line.event === "services")?.service ?? [];
  }

  /** Ends it, with its goodbyes. */
  async end() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const over = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await over;
    clearTimeout(timer);
  }

  /** Ends it without a word. */
  kill() {
    this.#child.kill("SIGKILL");
  }

  #answer(line) {
    const waiting = this.#waiting.get(line.id);
    if (line.event === "done") waiting?.resolve();
    else waiting?.reject(new Error(line.detail));
  }
}
