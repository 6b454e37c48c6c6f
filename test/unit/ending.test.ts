import { describe, expect, test } from "vitest";
import { Broker } from "../../src/broker.ts";
import type { SubscribeOptions } from "../../src/broker-options.ts";
import { json } from "../../src/codecs/json.ts";
import type { Handler } from "../../src/delivery.ts";
import { BrokerError } from "../../src/errors.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { silentLogger } from "../../src/logger.ts";
import { FakeClock } from "./internal/fake-clock.ts";
import { ScriptedDelivery, ScriptedDriver } from "./support/scripted-driver.ts";

const code = (value: string) => expect.objectContaining({ code: value });
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A connected broker on a scripted driver and a clock that stands still. */
async function connected() {
  const clock = new FakeClock();
  const driver = new ScriptedDriver();
  const errors: BrokerError[] = [];
  const source = { name: driver.name, load: async () => driver };
  const broker = new Broker(
    { source, codec: json, clock },
    { onError: (error) => errors.push(error), logger: silentLogger },
  );
  await broker.connect();
  const subscribe = async (handler: Handler, options: SubscribeOptions = {}) => {
    const subscriber = await broker.subscribe("t", handler, options);
    const request = driver.requests.at(-1);
    const deliver = (content: ConstructorParameters<typeof ScriptedDelivery>[0]) => {
      const delivery = new ScriptedDelivery(content);
      request?.deliver(delivery);
      return delivery;
    };
    return { subscriber, deliver };
  };
  return { clock, driver, errors, broker, subscribe };
}

describe("a disconnect after an unsubscribe", () => {
  test("is in time where that may take longer: what still runs goes back at the earlier deadline", async () => {
    const { broker, clock, subscribe } = await connected();
    const { subscriber, deliver } = await subscribe(() => new Promise(() => {}), { drainTimeoutMs: 60_000 });
    const delivery = deliver({ id: "1" });
    const unsubscribed = subscriber.unsubscribe();
    await turn();
    const disconnected = broker.disconnect();
    await turn();
    clock.advance(9_999);
    await turn();
    expect(delivery.outcomes).toEqual([]);
    clock.advance(1);
    await Promise.all([unsubscribed, disconnected]);
    expect([delivery.outcomes, clock.timers]).toEqual([[{ kind: "release" }], 0]);
  });

  test("gives what drains no more time than it had", async () => {
    const { broker, clock, subscribe } = await connected();
    const { subscriber, deliver } = await subscribe(() => new Promise(() => {}), { drainTimeoutMs: 100 });
    const delivery = deliver({ id: "1" });
    const unsubscribed = subscriber.unsubscribe();
    await turn();
    clock.advance(60);
    const disconnected = broker.disconnect();
    await turn();
    clock.advance(40);
    await Promise.all([unsubscribed, disconnected]);
    expect([delivery.outcomes, clock.timers]).toEqual([[{ kind: "release" }], 0]);
  });
});

describe("when a connection is lost for good", () => {
  const gaveUp = new BrokerError("ERR_CONNECTION_LOST", "gave up");

  test("its iterators end, its running handlers are told, and no timer is left", async () => {
    const { broker, driver, clock, subscribe } = await connected();
    const messages = broker.messages("t");
    await messages.ready();
    const pulled = messages.next();
    const running = deferred<AbortSignal>();
    const { deliver } = await subscribe(async ({ signal }) => {
      running.resolve(signal);
      await new Promise(() => {});
    });
    deliver({ id: "1" });
    const signal = await running.promise;
    driver.context?.onClosed(gaveUp);
    await expect(pulled).resolves.toEqual({ done: true, value: undefined });
    await turn();
    clock.advance(0);
    await turn();
    expect([signal.aborted, clock.timers]).toEqual([true, 0]);
    await broker.disconnect();
  });

  test("its subscriptions are not those of the next connection", async () => {
    const { broker, driver, subscribe } = await connected();
    await subscribe(() => {});
    driver.context?.onClosed(gaveUp);
    await turn();
    const closes = driver.closes;
    await broker.connect();
    await broker.disconnect();
    expect(driver.closes).toBe(closes);
  });
});

describe("while a broker disconnects", () => {
  test("what is subscribed then is refused, and nothing of it stays", async () => {
    const { broker, driver } = await connected();
    driver.onPublish = () => {};
    const published = broker.publish("t");
    await turn();
    const disconnecting = broker.disconnect();
    await turn();
    expect(broker.status).toBe("draining");
    await expect(broker.subscribe("late", () => {})).rejects.toThrow(code("ERR_NOT_CONNECTED"));
    driver.published[0]?.confirm("stored");
    await Promise.all([published, disconnecting]);
    expect(driver.requests).toHaveLength(driver.closes);
  });

  test("a subscribe that the closing connection breaks says that the broker was disconnected", async () => {
    const { broker, driver } = await connected();
    const subscribing = deferred<never>();
    driver.onSubscribe = () => subscribing.promise;
    const subscribed = expect(broker.subscribe("t", () => {})).rejects.toMatchObject({
      code: "ERR_NOT_CONNECTED",
      cause: { code: "ERR_DRIVER", cause: { message: "channel closed" } },
    });
    await turn();
    const disconnecting = broker.disconnect();
    await turn();
    subscribing.reject(new Error("channel closed"));
    await Promise.all([subscribed, disconnecting]);
  });

  test("connecting is not a success when it was called off while the driver loaded", async () => {
    const loading = deferred<ScriptedDriver>();
    const broker = new Broker({ source: { name: "slow", load: () => loading.promise }, codec: json });
    const connecting = expect(broker.connect()).rejects.toThrow(code("ERR_NOT_CONNECTED"));
    const disconnecting = broker.disconnect();
    loading.resolve(new ScriptedDriver());
    await Promise.all([connecting, disconnecting]);
  });

  test("a second caller's signal stops only that caller's wait for the connection", async () => {
    const loading = deferred<ScriptedDriver>();
    const broker = new Broker({ source: { name: "slow", load: () => loading.promise }, codec: json });
    const first = broker.connect();
    const abort = new AbortController();
    const second = expect(broker.connect({ signal: abort.signal })).rejects.toThrow("no longer");
    abort.abort(new Error("no longer"));
    await second;
    loading.resolve(new ScriptedDriver());
    await first;
    expect(broker.status).toBe("connected");
    await broker.disconnect();
  });
});

describe("unsubscribing", () => {
  test("settles what waits for a retry by key once, also when the retry falls due while others still run", async () => {
    const { clock, subscribe } = await connected();
    const gate = deferred<void>();
    const { subscriber, deliver } = await subscribe(
      async ({ id }) => {
        if (id === "fails") throw new Error("why");
        await gate.promise;
      },
      { orderBy: "key", backoffMs: 100 },
    );
    const [failed] = [deliver({ id: "fails", key: "a" }), deliver({ id: "runs", key: "b" })];
    await turn();
    const ending = subscriber.unsubscribe();
    await turn();
    clock.advance(500);
    gate.resolve();
    await ending;
    expect(failed.outcomes).toMatchObject([{ kind: "retry", attempt: 2 }]);
  });

  test("reports a failing settlement after a dead letter once", async () => {
    const { driver, errors, subscribe } = await connected();
    driver.capabilities = { ...driver.capabilities, deadLetterMove: "publish" };
    const { deliver } = await subscribe(() => {});
    const delivery = deliver({ id: "1", attempt: 9 });
    delivery.onSettle = () => Promise.reject(new Error("channel closed"));
    await turn();
    expect(errors.map((error) => error.code)).toEqual(["ERR_DRIVER"]);
  });

  test("rejects with a typed error when the driver fails to close it", async () => {
    const { driver, subscribe } = await connected();
    const lower = driver.subscribe.bind(driver);
    driver.subscribe = async (request) => ({
      ...(await lower(request)),
      close: () => Promise.reject(new Error("broken pipe")),
    });
    const { subscriber } = await subscribe(() => {});
    await expect(subscriber.unsubscribe()).rejects.toThrow(code("ERR_DRIVER"));
  });
});

test("a dead-letter topic that the subscription itself would read is refused", async () => {
  const { broker } = await connected();
  const loop = broker.subscribe("orders.*", () => {}, { deadLetter: "orders.failed" });
  await expect(loop).rejects.toThrow(code("ERR_INVALID_OPTION"));
});
