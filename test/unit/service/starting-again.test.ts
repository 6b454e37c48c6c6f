import { afterEach, describe, expect, test, vi } from "vitest";
import type { ServiceOptions } from "../../../src/index.ts";
import {
  BrokerError,
  createBroker,
  createService,
  NonRetryableError,
  type Service,
  silentLogger,
} from "../../../src/index.ts";
import { deferred } from "../../../src/internal/deferred.ts";
import { memory as memoryRegistry } from "../../../src/registries/memory.ts";
import { ScriptedDriver } from "../support/scripted-driver.ts";

const services: Service[] = [];
const code = (value: string) => expect.objectContaining({ code: value });

function newService(options: Partial<ServiceOptions> = {}): Service {
  const service = createService({ name: "billing", registry: memoryRegistry(), ...options });
  services.push(service);
  return service;
}

const quietBroker = (driver: ScriptedDriver) => createBroker(driver, { logger: silentLogger, onError: () => {} });

afterEach(async () => {
  for (const service of services.splice(0)) await service.stop().catch(() => {});
});

describe("ready", () => {
  test("rejects when the start fails before it subscribes, and belongs to the next start afterwards", async () => {
    const driver = new ScriptedDriver();
    driver.onConnect = (attempt) => {
      if (attempt === 1) throw new BrokerError("ERR_AUTHENTICATION", "wrong password");
    };
    const service = newService({ broker: quietBroker(driver) });
    const subscription = service.subscribe("t", () => {});
    const first = expect(subscription.ready()).rejects.toThrow(code("ERR_AUTHENTICATION"));
    await expect(service.start()).rejects.toThrow(code("ERR_AUTHENTICATION"));
    await first;
    await service.start();
    await expect(subscription.ready()).resolves.toBeUndefined();
  });

  test("rejects for what is unsubscribed before it was subscribed", async () => {
    const service = newService({ broker: quietBroker(new ScriptedDriver()) });
    const subscription = service.subscribe("t", () => {});
    await subscription.unsubscribe();
    await expect(subscription.ready()).rejects.toThrow(code("ERR_NOT_CONNECTED"));
  });
});

describe("stop", () => {
  test("closes the broker also where a subscription does not close", async () => {
    const driver = new ScriptedDriver();
    const lower = driver.subscribe.bind(driver);
    driver.subscribe = async (request) => ({
      ...(await lower(request)),
      close: () => Promise.reject(new Error("broken pipe")),
    });
    const service = newService({ broker: quietBroker(driver) });
    service.subscribe("t", () => {});
    await service.start();
    await service.stop().catch(() => {});
    expect([service.status, service.broker.status]).toEqual(["stopped", "closed"]);
  });

  test("counts what it gives up of its own messages, as disconnect does", async () => {
    const service = newService({ broker: "memory:", brokerOptions: { logger: silentLogger, onError: () => {} } });
    const failed = deferred<void>();
    service.subscribe(
      "t",
      () => {
        setImmediate(failed.resolve);
        throw new Error("again later");
      },
      { backoffMs: 10_000 },
    );
    await service.start();
    await service.publisher("t").publish({});
    await failed.promise;
    await expect(service.stop()).rejects.toThrow(expect.objectContaining({ code: "ERR_UNDELIVERED", count: 1 }));
  });

  test("does not fail the start of a service that takes up the shared broker meanwhile", async () => {
    const driver = new ScriptedDriver();
    const broker = quietBroker(driver);
    const closing = deferred<void>();
    driver.disconnect = () => closing.promise;
    const [one, two] = [newService({ broker }), newService({ name: "shipping", broker })];
    await one.start();
    const stopping = one.stop();
    await vi.waitFor(() => expect(broker.status).toBe("draining"));
    const starting = two.start();
    closing.resolve();
    await Promise.all([stopping, starting]);
    expect([one.status, two.status, broker.status]).toEqual(["stopped", "started", "connected"]);
  });
});

test("a failing error hook stops neither the registration nor the service", async () => {
  const hook = vi.fn(() => {
    throw new Error("the hook itself");
  });
  const registry = memoryRegistry();
  let well = true;
  const service = newService({
    broker: createBroker(new ScriptedDriver(), { logger: silentLogger }),
    registry,
    registerIntervalMs: 1,
    registerCheck: () => {
      if (!well) throw new Error("not well");
      return true;
    },
    onError: hook,
  });
  await service.start();
  well = false;
  await vi.waitFor(() => expect(hook.mock.calls.length).toBeGreaterThan(1));
  well = true;
  await vi.waitFor(async () => expect(await registry.getService("billing")).toHaveLength(1));
  await service.stop();
  expect(await registry.getService("billing")).toHaveLength(0);
});

test("unsubscribing while the service registers leaves no endpoint behind", async () => {
  const registry = memoryRegistry();
  const gate = deferred<void>();
  const entered = deferred<void>();
  const register = registry.register.bind(registry);
  vi.spyOn(registry, "register").mockImplementationOnce(async (...given) => {
    entered.resolve();
    await gate.promise;
    await register(...given);
  });
  const service = newService({ broker: quietBroker(new ScriptedDriver()), registry });
  const subscription = service.subscribe("t", () => {});
  const starting = service.start();
  await entered.promise;
  const ending = subscription.unsubscribe();
  gate.resolve();
  await Promise.all([starting, ending]);
  expect((await registry.getService("billing"))[0]?.endpoints).toEqual([]);
});

test("every call of unsubscribe resolves when it is over, not only the first", async () => {
  const driver = new ScriptedDriver();
  const closing = deferred<void>();
  const lower = driver.subscribe.bind(driver);
  driver.subscribe = async (request) => ({ ...(await lower(request)), close: () => closing.promise });
  const service = newService({ broker: quietBroker(driver) });
  const subscription = service.subscribe("t", () => {});
  await service.start();
  const over: number[] = [];
  const both = [1, 2].map((which) => subscription.unsubscribe().then(() => over.push(which)));
  await new Promise((resolve) => setImmediate(resolve));
  expect(over).toEqual([]);
  closing.resolve();
  await Promise.all(both);
});

describe("what is wrong is said at once", () => {
  test("in the options of a subscription", () => {
    const service = newService();
    expect(() => service.subscribe("t", () => {}, { concurency: 3 } as never)).toThrow(/no option "concurency"/);
    expect(() => service.subscribe("t", () => {}, { autoAck: false } as never)).toThrow(code("ERR_INVALID_OPTION"));
  });

  test("in the options of a publish", async () => {
    const service = newService({ broker: quietBroker(new ScriptedDriver()) });
    await service.start();
    const publishing = service.publisher("t").publish({}, { headers: {} } as never);
    await expect(publishing).rejects.toThrow(/no option "headers"/);
  });
});

test("when every method of an object fails for good, the message is not tried again", async () => {
  const service = newService({ broker: "memory:", brokerOptions: { logger: silentLogger, onError: () => {} } });
  const never = (why: string) => () => {
    throw new NonRetryableError(why);
  };
  service.subscribe("t", { one: never("no"), two: never("never") });
  await service.start();
  await service.publisher("t").publish({});
  await vi.waitFor(async () =>
    expect(await service.broker.deadLetters.list("t")).toMatchObject([{ attempts: 1, reason: "no; never" }]),
  );
});

describe("run", () => {
  test("after stop starts nothing, until start makes it run anew", async () => {
    const starts = vi.fn();
    const service = newService({ broker: "memory:", afterStart: starts });
    await service.start();
    await service.stop();
    await service.run();
    expect([starts.mock.calls.length, service.status]).toEqual([1, "stopped"]);

    await service.start();
    const ended = service.run();
    expect(service.status).toBe("started");
    await service.stop();
    await ended;
    expect(starts).toHaveBeenCalledTimes(2);
  });

  test("after stop of a service that never started resolves at once", async () => {
    const starts = vi.fn();
    const service = newService({ broker: "memory:", beforeStart: starts });
    await service.stop();
    await service.run();
    expect([starts.mock.calls.length, service.status]).toEqual([0, "idle"]);
  });

  test("waits for a stop that is under way, and throws what it threw", async () => {
    const service = newService({
      broker: "memory:",
      beforeStop: () => {
        throw new Error("the disk is full");
      },
    });
    await service.start();
    const stopping = service.stop();
    await expect(service.run()).rejects.toThrow("the disk is full");
    await expect(stopping).rejects.toThrow("the disk is full");
    expect(service.status).toBe("stopped");
  });
});

test("a service listens to signals only while it has started", async () => {
  const before = process.listenerCount("SIGTERM");
  const [one, other] = [newService({ broker: "memory:" }), newService({ broker: "memory:" })];
  await Promise.all([one.start(), other.start()]);
  expect(process.listenerCount("SIGTERM")).toBe(before + 1);
  await one.stop();
  expect(process.listenerCount("SIGTERM")).toBe(before + 1);
  await other.stop();
  expect(process.listenerCount("SIGTERM")).toBe(before);
});

describe("start after a stop that has just been asked for", () => {
  test("says that the service is stopping, and not that it has started", async () => {
    const service = newService({ broker: quietBroker(new ScriptedDriver()) });
    await service.start();
    const stopping = service.stop();
    await expect(service.start()).rejects.toThrow(code("ERR_CONNECTED"));
    await stopping;
    await service.start();
    expect(service.status).toBe("started");
  });

  test("says so too where the stop waits for a start", async () => {
    const service = newService({ broker: quietBroker(new ScriptedDriver()) });
    const starting = service.start();
    const stopping = service.stop();
    const again = expect(service.start()).rejects.toThrow(code("ERR_CONNECTED"));
    await Promise.all([starting, stopping, again]);
    expect(service.status).toBe("stopped");
  });

  test("makes it run where it had not started", async () => {
    const service = newService({ broker: quietBroker(new ScriptedDriver()) });
    const stopping = service.stop();
    await Promise.all([service.start(), stopping]);
    let ended = false;
    const running = service.run().then(() => {
      ended = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([ended, service.status]).toEqual([false, "started"]);
    await service.stop();
    await running;
  });
});

describe("services that share a broker", () => {
  test("report every subscription that does not end, not only the first", async () => {
    const driver = new ScriptedDriver();
    const lower = driver.subscribe.bind(driver);
    driver.subscribe = async (request) => ({
      ...(await lower(request)),
      close: () => Promise.reject(new Error(`${request.pattern} does not end`)),
    });
    const broker = quietBroker(driver);
    const reported: string[] = [];
    const one = newService({ broker, onError: ({ message }) => reported.push(message) });
    const two = newService({ name: "shipping", broker });
    one.subscribe("first", () => {});
    one.subscribe("second", () => {});
    await Promise.all([one.start(), two.start()]);
    await expect(one.stop()).rejects.toThrow("first does not end");
    expect(reported).toEqual([expect.stringContaining("second does not end")]);
    expect(one.status).toBe("stopped");
  });

  test("have each subscription once, also where one arrives after its service stopped and started again", async () => {
    const driver = new ScriptedDriver();
    const broker = quietBroker(driver);
    const [one, two] = [newService({ broker }), newService({ name: "shipping", broker })];
    await Promise.all([one.start(), two.start()]);
    const slow = deferred<void>();
    driver.onSubscribe = () => slow.promise;
    const subscription = one.subscribe("t", () => {});
    await vi.waitFor(() => expect(driver.requests).toHaveLength(1));
    driver.onSubscribe = () => {};
    await one.stop();
    await one.start();
    await subscription.ready();
    slow.resolve();
    await vi.waitFor(() => expect([driver.requests.length, driver.closes]).toEqual([2, 1]));
    await one.stop();
    expect(driver.closes).toBe(2);
  });

  test("keep for the next start what was being subscribed as they stopped", async () => {
    const driver = new ScriptedDriver();
    const broker = quietBroker(driver);
    const [one, two] = [newService({ broker, onError: () => {} }), newService({ name: "shipping", broker })];
    await Promise.all([one.start(), two.start()]);
    const slow = deferred<void>();
    driver.onSubscribe = () => slow.promise;
    const subscription = one.subscribe("t", () => {});
    await vi.waitFor(() => expect(driver.requests).toHaveLength(1));
    driver.onSubscribe = () => {};
    await one.stop();
    slow.reject(new Error("the connection was lost"));
    await expect(subscription.ready()).rejects.toThrow("the connection was lost");
    await one.start();
    await subscription.ready();
    expect(driver.requests).toHaveLength(2);
  });
});
