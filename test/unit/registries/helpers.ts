import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, vi } from "vitest";
import type { Clock, Timer } from "../../../src/internal/clock.ts";
import type { Node, Registry, RegistryEvent, Service } from "../../../src/registry.ts";

/** A service version with nodes of these ids. */
export function service(name: string, ids: readonly string[], changes: Partial<Service> = {}): Service {
  return { name, version: "1", metadata: {}, endpoints: [], nodes: ids.map((id) => node(id)), ...changes };
}

export function node(id: string, metadata: Readonly<Record<string, string>> = {}): Node {
  return { id, address: "127.0.0.1:7000", metadata };
}

/** The ids of all nodes of a service, over all its versions. */
export async function ids(registry: Registry, name: string): Promise<string[]> {
  return (await registry.getService(name)).flatMap((found) => found.nodes.map(({ id }) => id));
}

/** Turns an event into a short text: `create orders@1 a,b`. */
export function shortEvent({ action, service }: RegistryEvent): string {
  return `${action} ${service.name}@${service.version} ${service.nodes.map(({ id }) => id).join(",")}`;
}

/** Watches a registry until the test ends, and collects what it hears. */
export async function collect(registry: Registry, name?: string): Promise<string[]> {
  const heard: string[] = [];
  const listener = (event: RegistryEvent): unknown => heard.push(shortEvent(event));
  const watcher = await registry.watch(listener, name === undefined ? undefined : { service: name });
  onTestFinished(() => watcher.close());
  return heard;
}

/** Waits until `check` passes. */
export async function eventually<T>(check: () => T | Promise<T>, timeoutMs = 5_000): Promise<T> {
  return vi.waitFor(check, { timeout: timeoutMs, interval: 10 });
}

/** An empty path for a registry folder, removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "tidings-test-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  return join(parent, "registry");
}

/** Expects a refusal that trying again cannot mend. */
export async function expectRefusal(call: Promise<unknown>, message: RegExp): Promise<void> {
  await expect(call).rejects.toMatchObject({ name: "BrokerError", code: "ERR_REGISTRY", retryable: false });
  await expect(call).rejects.toThrow(message);
}

/** Time that only passes when told. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<{ dueAt: number; run: () => void }>();

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { dueAt: this.#now + delayMs, run };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Lets time pass; what falls due runs, and what that sets off is waited for. */
  async advance(durationMs: number): Promise<void> {
    const end = this.#now + durationMs;
    for (;;) {
      const [next] = [...this.#timers].filter(({ dueAt }) => dueAt <= end).sort((a, b) => a.dueAt - b.dueAt);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = next.dueAt;
      next.run();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything that waits for resolved promises go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A registry whose calls are counted, and that fails or waits on demand. */
export class FlakyRegistry implements Registry {
  readonly name = "flaky";
  readonly sharedWithGoMicro = true;
  readonly calls: Record<"register" | "deregister" | "getService" | "listServices" | "watch", number> = {
    register: 0,
    deregister: 0,
    getService: 0,
    listServices: 0,
    watch: 0,
  };
  down = false;
  watchDown = false;
  openWatches = 0;
  gate: Promise<void> = Promise.resolve();
  readonly #inner: Registry;

  constructor(inner: Registry) {
    this.#inner = inner;
  }

  async register(...args: Parameters<Registry["register"]>): Promise<void> {
    this.#count("register");
    await this.#inner.register(...args);
  }

  async deregister(...args: Parameters<Registry["deregister"]>): Promise<void> {
    this.#count("deregister");
    await this.#inner.deregister(...args);
  }

  async getService(name: string): Promise<Service[]> {
    this.#count("getService");
    const found = await this.#inner.getService(name);
    await this.gate;
    return found;
  }

  async listServices(): Promise<Service[]> {
    this.#count("listServices");
    return this.#inner.listServices();
  }

  async watch(...args: Parameters<Registry["watch"]>): ReturnType<Registry["watch"]> {
    this.#count("watch");
    if (this.watchDown) throw new Error("watch is down");
    const watcher = await this.#inner.watch(...args);
    this.openWatches += 1;
    return {
      close: () => {
        this.openWatches -= 1;
        watcher.close();
      },
    };
  }

  #count(call: keyof FlakyRegistry["calls"]): void {
    this.calls[call] += 1;
    if (this.down) throw new Error("registry is down");
  }
}
