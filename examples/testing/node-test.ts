import "./alone.ts";
// #region test
import assert from "node:assert/strict";
import { test } from "node:test";
import { testBroker } from "tidings/testing";
import { startBilling } from "./billing.ts";

test("an order that cannot be charged is tried six times, and then is a dead letter", async () => {
  const startedAt = performance.now();
  await using broker = testBroker();
  let attempts = 0;
  await startBilling(broker, async () => {
    attempts += 1;
    throw new Error("the bank is closed");
  });

  await broker.publish("orders.created", { body: '{"id":7}' });
  await broker.settled(); // five retries: after 1, 2, 4, 8 and 16 s of virtual time

  assert.equal(attempts, 6);
  const [letter] = broker.deadLettered("orders.created");
  assert.equal(letter?.reason, "the bank is closed");
  assert.equal(letter?.attempts, 6);
  assert.deepEqual(letter?.json(), { id: 7 });
  assert.deepEqual(broker.published("invoices.created"), []);
  assert.ok(performance.now() - startedAt < 3_000); // 31 s of virtual time take a few milliseconds; a busy machine more
});
// #endregion

// #region failure
test("an invoice that cannot be published is tried again with the order", async () => {
  await using broker = testBroker();
  const charged: number[] = [];
  await startBilling(broker, async (id) => void charged.push(id));

  broker.fail.publish({ topic: "invoices.*" });
  await broker.publish("orders.created", { body: '{"id":7}' });
  await broker.settled();

  assert.deepEqual(charged, [7, 7]); // so charging has to be idempotent
  assert.equal(broker.published("invoices.created").length, 1);
});
// #endregion
