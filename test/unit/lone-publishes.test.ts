import { describe, expect, test } from "vitest";
import { createBroker, silentLogger } from "../../src/index.ts";
import { memory } from "../../src/registries/memory.ts";
import { createFaults, withFaults } from "../../src/testing/conformance/faults.ts";
import { ScriptedDriver } from "./support/scripted-driver.ts";

const text = ({ body }: { body: Uint8Array }) => Buffer.from(body).toString();

/** A connected broker on a scripted driver that notes each batch. */
async function connected(sendsAtOnce: boolean) {
  const driver = Object.assign(new ScriptedDriver(), { sendsAtOnce });
  const batches: string[][] = [];
  const { publish } = driver;
  driver.publish = (publications) => {
    batches.push(publications.map(text));
    publish.call(driver, publications);
  };
  const broker = createBroker(driver, { logger: silentLogger });
  await broker.connect();
  return { driver, broker, batches };
}

describe("a publish while nothing is on its way", () => {
  test("leaves within the call where the driver sends at once, and what follows before its answer leaves as a batch", async () => {
    const { driver, broker, batches } = await connected(true);
    driver.onPublish = () => {};
    const published = ["a", "b", "c"].map((body) => broker.publish("t", { body }));
    expect(batches).toEqual([["a"]]);
    await Promise.resolve();
    expect(batches).toEqual([["a"], ["b", "c"]]);
    for (const publication of driver.published) publication.confirm("stored");
    await Promise.all(published);
    void broker.publish("t", { body: "d" });
    expect(batches).toEqual([["a"], ["b", "c"], ["d"]]);
    for (const publication of driver.published) publication.confirm("stored");
    await broker.disconnect();
  });

  test("leaves at the end of the turn where the driver does not", async () => {
    const { broker, batches } = await connected(false);
    const published = ["a", "b", "c"].map((body) => broker.publish("t", { body }));
    expect(batches).toEqual([]);
    await Promise.all(published);
    expect(batches).toEqual([["a", "b", "c"]]);
    await broker.disconnect();
  });

  test("does not overtake those that wait for the end of the turn although nobody waits for their answers", async () => {
    const { driver, broker, batches } = await connected(true);
    driver.onPublish = () => {};
    const aborting = new AbortController();
    const aborted = ["a", "b", "c"].map((body) => broker.publish("t", { body }, { signal: aborting.signal }));
    aborting.abort(new Error("enough"));
    const last = broker.publish("t", { body: "d" });
    for (const publish of aborted) await expect(publish).rejects.toThrow("enough");
    expect(batches.flat()).toEqual(["a", "b", "c", "d"]);
    for (const publication of driver.published) publication.confirm("stored");
    await last;
    await broker.disconnect();
  });

  test("rejects with the driver's error where that throws within the call", async () => {
    const { driver, broker } = await connected(true);
    driver.onPublish = () => {
      throw new Error("bug");
    };
    await expect(broker.publish("t")).rejects.toMatchObject({ code: "ERR_DRIVER" });
    await broker.disconnect();
  });
});

test.each([
  ["memory", () => createBroker("memory:")],
  ["HTTP", () => createBroker("http://127.0.0.1:0", { registry: memory() })],
])("no handler of the same process runs within publish: %s", async (_name, create) => {
  const broker = create();
  await broker.connect();
  const received: string[] = [];
  await broker.subscribe("t", (delivery) => void received.push(delivery.text()));
  for (const body of ["1", "2", "3"]) {
    const published = broker.publish("t", { body });
    expect(received).not.toContain(body);
    await published;
    await broker.flush();
    expect(received).toContain(body);
  }
  await broker.disconnect();
});

test("the conformance kit sees a driver as it is: what it wraps sends at once as before", async () => {
  const driver = Object.assign(new ScriptedDriver(), { sendsAtOnce: true });
  const broker = createBroker(withFaults(driver, createFaults()), { logger: silentLogger });
  await broker.connect();
  const published = broker.publish("t", { body: "a" });
  expect(driver.published.map(text)).toEqual(["a"]);
  await published;
  await broker.disconnect();
});
