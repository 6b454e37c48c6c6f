import { describe, expect, test } from "vitest";
import type { Delivery } from "../../src/delivery.ts";
import { createBroker, silentLogger } from "../../src/index.ts";
import { ScriptedDelivery, ScriptedDriver } from "./support/scripted-driver.ts";

/** Hands the memory of a body to somebody else, as to a worker; where it is not the body's alone, Node copies it or refuses. */
function transfer(body: Uint8Array): void {
  const memory = body.buffer as ArrayBuffer;
  try {
    structuredClone(memory, { transfer: [memory] });
  } catch (error) {
    expect((error as Error).name).toBe("DataCloneError");
  }
}

describe("a handler that transfers the memory of a body leaves other messages alone", () => {
  test("where bodies are copied", async () => {
    await using broker = createBroker("memory:", { logger: silentLogger });
    await broker.connect();
    const kept: Delivery["message"][] = [];
    await broker.subscribe("t", ({ message }) => void kept.push(message), { concurrency: 8 });
    await Promise.all(["one", "two", "three"].map((body) => broker.publish("t", { body })));
    await broker.flush();
    transfer(kept[1]?.body as Uint8Array);
    const texts = [kept[0], kept[2]].map((message) => Buffer.from(message?.body as Uint8Array).toString());
    expect(texts).toEqual(["one", "three"]);
  });

  test("where a driver hands over the bytes that it received, several messages in one piece", async () => {
    const driver = new ScriptedDriver();
    await using broker = createBroker(driver, { logger: silentLogger });
    await broker.connect();
    const received: string[] = [];
    await broker.subscribe("t", ({ message: { body } }) => {
      received.push(Buffer.from(body).toString());
      transfer(body);
    });
    const piece = Uint8Array.from(Buffer.from("onetwo"));
    for (const body of [piece.subarray(0, 3), piece.subarray(3)])
      driver.requests[0]?.deliver(Object.assign(new ScriptedDelivery({ id: String(body.byteOffset) }), { body }));
    expect(received).toEqual(["one", "two"]);
  });
});
