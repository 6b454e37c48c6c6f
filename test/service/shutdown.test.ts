import { describe, expect, onTestFinished, test } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { newPlace, type Place, tells, told } from "./service-process.ts";

/** How many publishes of the load may be unanswered at once. */
const IN_FLIGHT = 16;

/** Publishes numbered messages without a break until nobody takes them, or it is stopped. */
class Load {
  readonly broker: ReturnType<typeof createBroker>;
  /** How many were published. */
  published = 0;
  #stopped = false;
  #lines: Promise<unknown> = Promise.resolve();

  private constructor({ registry }: Place) {
    this.broker = createBroker("http", { registry, logger: silentLogger });
  }

  static async connected(place: Place): Promise<Load> {
    const load = new Load(place);
    await load.broker.connect();
    onTestFinished(async () => {
      await load.stop();
      await load.broker.disconnect();
    });
    return load;
  }

  start(): void {
    const line = async () => {
      while (!this.#stopped && (await this.publish()).state === "accepted");
    };
    this.#lines = Promise.all(Array.from({ length: IN_FLIGHT }, line));
  }

  /** Publishes one message; resolves once it is taken. */
  async publish(): Promise<{ id: number; state: string }> {
    this.published += 1;
    const id = this.published;
    const { state } = await this.broker.publish("work", { body: JSON.stringify({ id }) });
    return { id, state };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#lines;
  }
}

describe("a service that is told to end", () => {
  test("under load loses nothing, dead-letters nothing, and leaves the registry before it stops taking messages", async () => {
    const place = newPlace();
    const gone: string[] = [];
    const watcher = await place.registry.watch(({ action, service }) => gone.push(`${action} ${service.name}`), {
      service: "worker",
    });
    onTestFinished(() => watcher.close());
    const load = await Load.connected(place);
    const worker = place.start("worker.mjs", ["--hold", "registry"]);
    await tells(worker, "ready");
    load.start();
    await until(() => told(worker, "handled").length >= 50, { what: "it is at work" });

    worker.child.kill("SIGTERM");
    await until(() => gone.includes("delete worker"), { what: "its entry is gone", detail: () => gone.join() });
    expect(await place.registry.getService("worker")).toEqual([]);
    const late = await load.publish();
    expect(late.state).toBe("accepted");
    await tells(worker, "handled", late.id);

    worker.child.stdin?.write("the registry answers");
    await worker.endsWith(0);
    await load.stop();
    await load.publish();
    expect(told(worker, "ended")).toHaveLength(1);
    expect(told(worker, "handled").sort()).toEqual(told(worker, "started").sort());

    const next = place.start("worker.mjs");
    await tells(next, "ready");
    await load.broker.flush();
    next.child.kill("SIGTERM");
    await next.endsWith(0);
    // What it told is all here once it has ended, and not as soon as its sender has the acks.
    const handled = [...told(worker, "handled"), ...told(next, "handled")];
    expect(handled.sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: load.published }, (_, n) => n + 1),
    );
    expect(told(next, "handled").length).toBeGreaterThan(0);
    expect(await load.broker.deadLetters.list("work")).toEqual([]);
    expect(worker.err + next.err).toBe("");
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "by %s lets running handlers finish, then ends by itself",
    async (signal) => {
      const place = newPlace();
      const load = await Load.connected(place);
      const worker = place.start("worker.mjs", ["--hold", "handlers"]);
      await tells(worker, "ready");
      const first = await load.publish();
      const second = await load.publish();
      await Promise.all([tells(worker, "started", first.id), tells(worker, "started", second.id)]);
      worker.child.kill(signal);
      await tells(worker, "stopping");
      await until(async () => (await place.registry.getService("worker")).length === 0, { what: "its entry is gone" });
      expect(told(worker, "stopped")).toEqual([]);
      worker.child.stdin?.write("the handlers end");
      await worker.endsWith(0);
      const events = worker.lines.map((line) => JSON.parse(line).event);
      expect(events).toEqual(["ready", "started", "started", "stopping", "handled", "handled", "stopped", "ended"]);
    },
  );

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by a second %s ends at once", async (signal, status) => {
    const place = newPlace();
    const load = await Load.connected(place);
    const worker = place.start("worker.mjs", ["--hold", "handlers", "--drain-timeout-ms", "600000"]);
    await tells(worker, "ready");
    await tells(worker, "started", (await load.publish()).id);
    worker.child.kill(signal);
    await tells(worker, "stopping");
    // In the first moment after it, a signal counts as the same press of Ctrl-C.
    await until(() => worker.child.exitCode !== null || !worker.child.kill(signal), { what: "it has ended" });
    await worker.endsWith(status);
    expect(told(worker, "handled")).toEqual([]);

    // What it held goes to the next member.
    const next = place.start("worker.mjs");
    await tells(next, "ready");
    await load.broker.flush();
    await tells(next, "handled", 1);
    expect(told(next, "handled")).toEqual([1]);
  });
});

describe("a service that has started and is not run yet", () => {
  async function atWork(args: readonly string[]): Promise<{ load: Load; worker: ReturnType<Place["start"]> }> {
    const place = newPlace();
    const load = await Load.connected(place);
    const worker = place.start("started.mjs", args);
    await tells(worker, "ready");
    await tells(worker, "started", (await load.publish()).id);
    return { load, worker };
  }

  const eventsOf = (worker: ReturnType<Place["start"]>) => worker.lines.map((line) => JSON.parse(line).event);

  test.each(["SIGINT", "SIGTERM"] as const)("drains on %s, and ends by it", async (signal) => {
    const { worker } = await atWork([]);
    worker.child.kill(signal);
    await tells(worker, "stopping");
    worker.child.stdin?.write("the handlers end");
    await worker.endsWith(signal);
    expect(eventsOf(worker)).toEqual(["ready", "started", "stopping", "handled", "stopped"]);
  });

  test("ends at once on a second signal", async () => {
    const { load, worker } = await atWork([]);
    worker.child.kill("SIGTERM");
    await tells(worker, "stopping");
    await until(() => worker.child.exitCode !== null || !worker.child.kill("SIGTERM"), { what: "it has ended" });
    await worker.endsWith(143);
    expect(told(worker, "handled")).toEqual([]);
    await expect(load.broker.disconnect()).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 1 });
  });

  test("leaves the signal to a program that listens to it", async () => {
    const { load, worker } = await atWork(["--own"]);
    worker.child.kill("SIGTERM");
    await worker.endsWith(7);
    expect(eventsOf(worker)).toEqual(["ready", "started", "mine"]);
    await expect(load.broker.disconnect()).rejects.toMatchObject({ code: "ERR_UNDELIVERED", count: 1 });
  });

  test("run meanwhile, ends as a service that runs", async () => {
    const { worker } = await atWork(["--run"]);
    worker.child.kill("SIGTERM");
    await tells(worker, "stopping");
    worker.child.stdin?.write("the handlers end, and the program runs the service");
    await worker.endsWith(0);
    expect(eventsOf(worker)).toEqual(["ready", "started", "stopping", "handled", "stopped", "ended"]);
  });
});
