import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { until } from "../../../src/testing/conformance/until.ts";

const run = promisify(execFile);

const fixture = fileURLToPath(new URL("../fixtures/host.mjs", import.meta.url));

/** Where the two hosts are on their cable. */
const ADDRESSES = { here: "10.78.0.1", there: "10.78.0.2" } as const;

/** One thing that a host tells of. */
interface HostEvent {
  readonly event: string;
  readonly [detail: string]: unknown;
}

/**
 * A process in a network namespace of its own: a host. The namespace has no name and is held by this process alone, so that it is
 * gone with it, and its end of the cable with that, however the test ends.
 */
export class Host {
  readonly address: string;
  readonly events: HostEvent[] = [];
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #next = 0;
  #stderr = "";
  #ended = false;

  private constructor(address: string) {
    this.address = address;
    this.#process = spawn("unshare", ["-n", "-u", process.execPath, fixture], { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.once("close", () => {
      this.#ended = true;
      for (const { reject } of this.#waiting.values()) reject(new Error(`the host ended: ${this.#stderr}`));
    });
    this.#process.stdin?.on("error", () => {});
    this.#process.stderr?.on("data", (text: Buffer) => {
      this.#stderr += text.toString();
    });
    if (this.#process.stdout !== null)
      createInterface({ input: this.#process.stdout }).on("line", (line) => this.#hear(JSON.parse(line)));
  }

  /** Two hosts with a cable between them, each with its registry open; they end with the test. */
  static async pair(): Promise<readonly [Host, Host]> {
    const hosts = [new Host(ADDRESSES.here), new Host(ADDRESSES.there)] as const;
    onTestFinished(() => Promise.all(hosts.map((host) => host.#end())).then(() => {}));
    for (const host of hosts)
      await until(() => host.events.length > 0 || host.#ended, { what: "the host is up", detail: () => host.#stderr });
    const [here, there] = hosts;
    await here.#ip(["link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", String(there.#pid)]);
    for (const host of hosts) {
      await host.#ip(["link", "set", "lo", "up"]);
      await host.#ip(["addr", "add", `${host.address}/24`, "dev", "eth0"]);
      await host.#ip(["link", "set", "eth0", "up"]);
    }
    for (const host of hosts) await host.ask("open", { address: host.address });
    return hosts;
  }

  /** Sends a command and resolves with its result. */
  ask<T = null>(command: string, argument: object = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended) return reject(new Error(`the host ended: ${this.#stderr}`));
      const id = this.#next++;
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      this.#process.stdin?.write(`${JSON.stringify({ id, command, argument })}\n`);
    });
  }

  /** What it told of one kind. */
  told(event: string): HostEvent[] {
    return this.events.filter((one) => one.event === event);
  }

  get #pid(): number {
    return this.#process.pid ?? 0;
  }

  async #ip(args: readonly string[]): Promise<void> {
    await run("nsenter", ["-t", String(this.#pid), "-n", "ip", ...args]);
  }

  async #end(): Promise<void> {
    // Its namespace goes with it.
    this.#process.kill("SIGKILL");
    await until(() => this.#ended, { what: "the host is gone" });
  }

  #hear(line: HostEvent | { readonly id: number; readonly value?: never; readonly error?: string }): void {
    if ("event" in line) {
      this.events.push(line);
      return;
    }
    const waiting = this.#waiting.get(line.id);
    this.#waiting.delete(line.id);
    if (line.error === undefined) waiting?.resolve(line.value as never);
    else waiting?.reject(new Error(line.error));
  }
}
