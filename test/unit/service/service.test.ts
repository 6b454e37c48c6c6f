import { type } from "arktype";
import * as v from "valibot";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { Codec, Context, ServiceOptions } from "../../../src/index.ts";
import { BrokerError, createBroker, createService, type Service, silentLogger, topic } from "../../../src/index.ts";
import { memory as memoryRegistry } from "../../../src/registries/memory.ts";
import { ScriptedDriver } from "../support/scripted-driver.ts";

const services: Service[] = [];
const code = (value: string) => expect.objectContaining({ code: value });

/** A service on a private memory broker that is stopped after the test, whatever it leaves undelivered. */
function newService(options: Partial<ServiceOptions> = {}): Service {
  const service = createService({
    name: "billing",
    broker: "memory:service-tests",
    ...(typeof options.broker === "object" ? {} : { brokerOptions: { logger: silentLogger } }),
    ...options,
  });
  services.push(service);
  return service;
}

afterEach(async () => {
  for (const service of services.splice(0)) {
    await service.stop().catch((error: unknown) => {
      if (!(error instanceof BrokerError && error.code === "ERR_UNDELIVERED")) throw error;
    });
  }
});

describe("life", () => {
  test("hooks run in order around subscribing and registering", async () => {
    const log: string[] = [];
    const registry = memoryRegistry();
    const registered = async () => (await registry.getService("billing")).length;
    const service = newService({
      registry,
      beforeStart: [() => log.push("before 1"), async () => log.push("before 2")],
      afterStart: async () => log.push(`after: ${await registered()} registered, ${service.broker.status}`),
      beforeStop: async () => log.push(`stopping: ${await registered()} registered`),
      afterStop: async () => log.push(`stopped: ${await registered()} registered, ${service.broker.status}`),
    });
    expect(service.status).toBe("idle");
    await Promise.all([service.start(), service.start()]);
    expect(service.status).toBe("started");
    await Promise.all([service.stop(), service.stop()]);
    await service.stop();
    expect(service.status).toBe("stopped");
    expect(log).toEqual([
      "before 1",
      "before 2",
      "after: 1 registered, connected",
      "stopping: 1 registered",
      "stopped: 0 registered, closed",
    ]);
    await service.start();
    expect(service.status).toBe("started");
  });

  test("a failing subscription or hook fails the start, and undoes what was begun", async () => {
    const registry = memoryRegistry();
    const driver = new ScriptedDriver();
    vi.spyOn(driver, "subscribe").mockRejectedValueOnce(new BrokerError("ERR_INVALID_OPTION", "prefetch differs"));
    const service = newService({ broker: createBroker(driver, { logger: silentLogger }), registry });
    const subscription = service.subscribe("t", () => {});
    await expect(service.start()).rejects.toThrow(code("ERR_INVALID_OPTION"));
    await expect(subscription.ready()).rejects.toThrow(code("ERR_INVALID_OPTION"));
    expect([service.status, service.broker.status, await registry.listServices()]).toEqual(["idle", "closed", []]);

    const hooked = newService({ afterStart: () => Promise.reject(new Error("not ready")), registry });
    await expect(hooked.start()).rejects.toThrow("not ready");
    expect([hooked.status, hooked.broker.status, await registry.listServices()]).toEqual(["idle", "closed", []]);
  });

  test("services share a broker, and the last to stop closes it", async () => {
    const broker = createBroker("memory:", { logger: silentLogger });
    const [one, two] = [newService({ broker }), newService({ name: "shipping", broker })];
    const got: unknown[] = [];
    two.subscribe("t", (payload) => got.push(payload));
    await Promise.all([one.start(), two.start()]);
    await one.publisher("t").publish(1);
    await one.stop();
    expect(broker.status).toBe("connected");
    await two.publisher("t").publish(2);
    await vi.waitFor(() => expect(got).toEqual([1, 2]));
    await two.stop();
    expect(broker.status).toBe("closed");
  });

  test("subscribes and unsubscribes while it runs", async () => {
    const registry = memoryRegistry();
    const service = newService({ registry });
    await service.start();
    const got: unknown[] = [];
    const late = service.subscribe("late", (payload) => got.push(payload));
    await late.ready();
    await service.publisher("late").publish("first");
    await vi.waitFor(() => expect(got).toEqual(["first"]));
    await vi.waitFor(async () => expect((await registry.getService("billing"))[0]?.endpoints).toHaveLength(1));
    await late.unsubscribe();
    await late.unsubscribe();
    expect(await service.publisher("late").publish("second")).toMatchObject({ state: "unrouted" });
    expect((await registry.getService("billing"))[0]?.endpoints).toHaveLength(0);
  });

  test("what is wrong is said at once", () => {
    expect(() => createService({} as never)).toThrow(code("ERR_INVALID_OPTION"));
    expect(() => createService({ name: "x", brokr: 1 } as never)).toThrow(/no option "brokr"/);
    expect(() => createService({ name: "x", beforeStart: 7 as never })).toThrow(code("ERR_INVALID_OPTION"));
    const service = newService();
    expect(() => service.subscribe("a..b", () => {})).toThrow(code("ERR_INVALID_TOPIC"));
    expect(() => service.subscribe("t", 7 as never)).toThrow(code("ERR_INVALID_OPTION"));
    expect(() => service.subscribe("t", {})).toThrow(/no methods/);
    expect(() => service.subscribe("t", { a() {} }, { methods: ["b"] })).toThrow(/no method "b"/);
    expect(() => service.publisher("t.*")).toThrow(code("ERR_INVALID_TOPIC"));
    expect(() => service.use({} as never)).toThrow(code("ERR_INVALID_OPTION"));
    expect(() => createService({ name: "x", broker: createBroker("memory:"), brokerOptions: {} })).toThrow(
      /made already/,
    );
  });

  test("after the start settings and middleware come too late", async () => {
    const service = newService();
    await service.start();
    expect(() => service.use(() => {})).toThrow(code("ERR_CONNECTED"));
    await expect(service.init([], {})).rejects.toThrow(code("ERR_CONNECTED"));
  });
});

describe("typed topics", () => {
  const schemas = {
    zod: topic("t", z.object({ id: z.number(), when: z.string().transform((text) => text.length) })),
    valibot: topic(
      "t",
      v.object({
        id: v.number(),
        when: v.pipe(
          v.string(),
          v.transform((text) => text.length),
        ),
      }),
    ),
    arktype: topic("t", type({ id: "number", when: type("string").pipe((text) => text.length) })),
    asynchronous: topic(
      "t",
      z.object({
        id: z.number().refine(async (id) => id > 0, "too small"),
        when: z.string().transform(async (text) => text.length),
      }),
    ),
  };

  test.each(Object.entries(schemas))(
    "%s: the publisher checks and sends the input, the handler gets the output",
    async (_name, on) => {
      const service = newService();
      const got: unknown[] = [];
      const bodies: string[] = [];
      service.subscribe(on as typeof schemas.zod, (payload) => got.push(payload));
      await service.start();
      await service.broker.subscribe("t", (delivery) => bodies.push(delivery.text()));
      const publisher = service.publisher(on as typeof schemas.zod);
      await publisher.publish({ id: 7, when: "abc" });
      await vi.waitFor(() => expect(got).toEqual([{ id: 7, when: 3 }]));
      expect(bodies).toEqual(['{"id":7,"when":"abc"}']);
      await expect(publisher.publish({ id: "x", when: "abc" } as never)).rejects.toThrow(
        expect.objectContaining({ code: "ERR_INVALID_PAYLOAD", message: expect.stringContaining("id") }),
      );
      await service.broker.publish("t", { body: '{"id":"x","when":"abc"}' });
      await vi.waitFor(async () => {
        const [letter] = await service.broker.deadLetters.list("t");
        expect(letter).toMatchObject({ attempts: 1, reason: expect.stringContaining("id") });
      });
      expect(got).toHaveLength(1);
    },
  );

  test("a pattern is a topic too, and the handler sees the concrete one", async () => {
    const service = newService();
    const topics: string[] = [];
    service.subscribe(topic("orders.*", z.number()), (_payload, context) => topics.push(context.topic));
    await service.start();
    await service.publisher("orders.paid").publish(1);
    await vi.waitFor(() => expect(topics).toEqual(["orders.paid"]));
  });
});

describe("headers and codecs", () => {
  test("are those of go-micro's client, and metadata is passed on", async () => {
    const service = newService();
    const contexts: Context[] = [];
    service.subscribe("first", async (_payload, context) => {
      contexts.push(context);
      await context.publish("second", "x", { header: { own: "1", trace: "changed" }, key: "k" });
    });
    service.subscribe("second", (_payload, context) => contexts.push(context));
    await service.start();
    const { id } = await service.publisher("first").publish({}, { header: { trace: "abc", tenant: "t1" } });
    await vi.waitFor(() => expect(contexts).toHaveLength(2));
    expect(contexts[0]?.header).toEqual({
      "Content-Type": "application/json",
      "Micro-Topic": "first",
      "Micro-ID": id,
      trace: "abc",
      tenant: "t1",
    });
    const second = contexts[1];
    expect(second?.header).toEqual({
      "Content-Type": "application/json",
      "Micro-Topic": "second",
      "Micro-ID": second?.id,
      trace: "changed",
      tenant: "t1",
      own: "1",
    });
    expect([second?.key, second?.id === id, second?.attempt]).toEqual(["k", false, 1]);
    expect(second?.signal.aborted).toBe(false);
  });

  test("both spellings of the id are understood", async () => {
    const service = newService();
    const ids: (string | undefined)[] = [];
    service.subscribe("t", (_payload, context) => ids.push(context.header["Micro-ID"]));
    await service.start();
    await service.broker.publish("t", { header: { "Micro-Id": "old" }, body: "1" });
    await service.broker.publish("t", { header: { "Micro-ID": "new", "Micro-Id": "old" }, body: "1" });
    await service.broker.publish("t", { body: "1" });
    await vi.waitFor(() => expect(ids).toEqual(["old", "new", undefined]));
  });

  test("a codec of one's own is five lines; an unknown content type or a broken body is a dead letter", async () => {
    const reversed: Codec = {
      contentType: "text/reversed",
      encode: (value) => [...String(value)].reverse().join(""),
      decode: (body) => [...Buffer.from(body).toString()].reverse().join(""),
    };
    const service = newService({ codecs: [reversed] });
    const got: unknown[] = [];
    service.subscribe("t", (payload) => got.push(payload));
    await service.start();
    await service.publisher("t", { codec: reversed }).publish("abc");
    await service.broker.publish("t", { header: { "Content-Type": "TEXT/PLAIN; charset=utf-8" }, body: "plain" });
    await service.broker.publish("t", {
      header: { "Content-Type": "application/octet-stream" },
      body: Uint8Array.of(1, 2),
    });
    await service.broker.publish("t", { header: { "Content-Type": "application/x-guess" }, body: "{}" });
    await service.broker.publish("t", { body: "{" });
    await vi.waitFor(() => expect(got).toEqual(["abc", "plain", expect.objectContaining({ length: 2 })]));
    await vi.waitFor(async () => expect(await service.broker.deadLetters.list("t")).toHaveLength(2));
    const reasons = (await service.broker.deadLetters.list("t")).map(({ reason }) => reason);
    expect(reasons).toEqual([
      expect.stringContaining('No codec for the content type "application/x-guess"'),
      expect.stringContaining("not application/json"),
    ]);
    await expect(service.publisher("t").publish(undefined)).rejects.toThrow(code("ERR_INVALID_PAYLOAD"));
  });
});

describe("objects", () => {
  test("every method of the object's own class handles each message; those that succeeded are not called again", async () => {
    const calls: string[] = [];
    class Base {
      inherited(): void {
        calls.push("inherited");
      }
    }
    class Handlers extends Base {
      readonly greeting = "hello";
      created(payload: unknown, context: Context): void {
        calls.push(`created ${payload} ${this.greeting} ${context.attempt}`);
      }
      async audited(_payload: unknown, context: Context): Promise<void> {
        calls.push(`audited ${context.attempt}`);
        if (context.attempt === 1) throw new Error("once");
      }
      _private(): void {
        calls.push("private");
      }
    }
    const registry = memoryRegistry();
    const service = newService({ registry });
    service.subscribe("t", new Handlers(), { backoffMs: 1, queue: "q" });
    await service.start();
    await service.publisher("t").publish("x");
    await vi.waitFor(() => expect(calls).toEqual(["created x hello 1", "audited 1", "audited 2"]));
    const [record] = await registry.getService("billing");
    expect(record?.endpoints.map(({ name, metadata }) => [name, metadata])).toEqual([
      ["Handlers.created", { topic: "t", queue: "q", subscriber: "true" }],
      ["Handlers.audited", { topic: "t", queue: "q", subscriber: "true" }],
    ]);
  });

  test("those that succeeded on one topic are called for a message of the same id on another", async () => {
    const calls: string[] = [];
    const both = {
      first: (_payload: unknown, { topic, attempt }: Context) => void calls.push(`first ${topic} ${attempt}`),
      second: (_payload: unknown, { topic, attempt }: Context) => {
        calls.push(`second ${topic} ${attempt}`);
        if (topic === "order.paid" && attempt === 1) throw new Error("once");
      },
    };
    const service = newService();
    service.subscribe("order.*", both, { backoffMs: 50 });
    await service.start();
    await service.publisher("order.paid").publish("x", { id: "order 7" });
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    await service.publisher("order.sent").publish("x", { id: "order 7" });
    await vi.waitFor(() => expect(calls).toContain("second order.paid 2"));
    expect(calls).toEqual([
      "first order.paid 1",
      "second order.paid 1",
      "first order.sent 1",
      "second order.sent 1",
      "second order.paid 2",
    ]);
  });

  test("methods can be picked by name, also of an object literal", async () => {
    const calls: string[] = [];
    const service = newService();
    service.subscribe("t", { one: () => calls.push("one"), two: () => calls.push("two") }, { methods: ["two"] });
    service.subscribe("u", { one: () => calls.push("one"), two: () => calls.push("two") });
    await service.start();
    await service.publisher("t").publish(1);
    await service.publisher("u").publish(1);
    await vi.waitFor(() => expect(calls).toEqual(["two", "one", "two"]));
  });
});

describe("middleware", () => {
  test("the first is outermost on both sides; results and errors pass unchanged", async () => {
    const log: string[] = [];
    const errors: unknown[] = [];
    const service = newService({ brokerOptions: { onError: (error) => errors.push(error.cause) } });
    const around = (name: string) => ({
      subscribe: async (context: { id: string }, next: () => Promise<unknown>) => {
        log.push(`${name} in`);
        try {
          return await next();
        } finally {
          log.push(`${name} out ${typeof context.id}`);
        }
      },
      publish: async <Result>(
        context: { payload: unknown; header: Record<string, string> },
        next: () => Promise<Result>,
      ) => {
        log.push(`${name} publishes`);
        context.header[name] = "was here";
        context.payload = `${String(context.payload)}${name}`;
        return next();
      },
    });
    const failure = new Error("unchanged");
    let got: unknown[] = [];
    service.use(around("a"), around("b")).use(async (_context, next) => next());
    const publisher = service.publisher("t");
    service.subscribe(
      "t",
      (payload, context) => {
        got = [payload, context.header["a"], context.header["b"]];
        throw failure;
      },
      { deadLetter: false, maxAttempts: 1 },
    );
    await service.start();
    expect(await publisher.publish("x")).toMatchObject({ state: "accepted" });
    await vi.waitFor(() => expect(errors).toEqual([failure]));
    expect(got).toEqual(["xab", "was here", "was here"]);
    expect(log).toEqual(["a publishes", "b publishes", "a in", "b in", "b out string", "a out string"]);
  });

  test("one that does not go on skips the handler, before the payload is even decoded", async () => {
    const service = newService();
    const handler = vi.fn();
    const skipped = vi.fn();
    service.use((context, next) => (context.header["skip"] === undefined ? next() : skipped()));
    service.subscribe("t", handler);
    await service.start();
    await service.broker.publish("t", { header: { skip: "1" }, body: "not json" });
    await vi.waitFor(() => expect(skipped).toHaveBeenCalled());
    expect([handler.mock.calls.length, await service.broker.deadLetters.list("t")]).toEqual([0, []]);
  });
});

describe("registration", () => {
  test("shows endpoints with the shape that the schema tells", async () => {
    const registry = memoryRegistry();
    const service = newService({ registry, version: "1.2.0", id: "one", metadata: { zone: "a" } });
    service.subscribe(
      topic("orders.created", z.object({ id: z.number(), tags: z.array(z.string()) })),
      function createInvoice() {},
      { queue: "billing" },
    );
    service.subscribe(topic("orders.dated", z.object({ at: z.date() })), () => {});
    await service.start();
    expect(await registry.getService("billing")).toEqual([
      expect.objectContaining({
        name: "billing",
        version: "1.2.0",
        nodes: [
          {
            id: "billing-one",
            address: expect.stringContaining("memory:"),
            metadata: { zone: "a", broker: "memory", registry: "memory" },
          },
        ],
        endpoints: [
          {
            name: "createInvoice",
            request: {
              name: "",
              type: "object",
              values: [
                { name: "id", type: "number", values: null },
                { name: "tags", type: "array", values: [{ name: "items", type: "string", values: null }] },
              ],
            },
            response: null,
            metadata: { topic: "orders.created", queue: "billing", subscriber: "true" },
          },
          expect.objectContaining({ name: "handler", request: null }),
        ],
      }),
    ]);
  });

  test("a failing check takes it out, and a passing one brings it back", async () => {
    const registry = memoryRegistry();
    let well: () => boolean | undefined = () => true;
    const errors: BrokerError[] = [];
    const service = newService({
      registry,
      registerIntervalMs: 5,
      registerCheck: () => well(),
      onError: (error) => errors.push(error),
    });
    await service.start();
    const registered = async () => (await registry.getService("billing")).length;
    expect(await registered()).toBe(1);
    well = () => false;
    await vi.waitFor(async () => expect(await registered()).toBe(0));
    well = () => undefined;
    await vi.waitFor(async () => expect(await registered()).toBe(1));
    well = () => {
      throw new Error("the database is gone");
    };
    await vi.waitFor(async () => expect(await registered()).toBe(0));
    expect(errors[0]).toMatchObject({ code: "ERR_REGISTRY", message: expect.stringContaining("the database is gone") });
    await service.stop();
  });

  test("a registry that fails later is reported and tried again", async () => {
    const inner = memoryRegistry();
    let down = false;
    const registry = {
      ...inner,
      register: async (...args: Parameters<typeof inner.register>) =>
        down ? Promise.reject(new Error("down")) : inner.register(...args),
    };
    const errors: BrokerError[] = [];
    const service = newService({ registry, registerIntervalMs: 5, onError: (error) => errors.push(error) });
    await service.start();
    down = true;
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(1));
    down = false;
    const count = errors.length;
    await vi.waitFor(async () => expect(await inner.getService("billing")).toHaveLength(1));
    expect(errors[0]).toMatchObject({ code: "ERR_REGISTRY" });
    expect(errors.length).toBeGreaterThanOrEqual(count);
  });
});
