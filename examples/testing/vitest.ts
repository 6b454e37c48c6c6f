import "./alone.ts";
// #region test
import { type TestBroker, testBroker } from "tidings/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startBilling } from "./billing.ts";

let broker: TestBroker;

beforeEach(() => {
  broker = testBroker();
});

afterEach(() => broker.disconnect());

test("an order that cannot be charged is tried six times, and then is a dead letter", async () => {
  await startBilling(broker, () => Promise.reject(new Error("the bank is closed")));
  await broker.publish("orders.created", { body: '{"id":7}' });
  await broker.settled(); // five retries: after 1, 2, 4, 8 and 16 s of virtual time

  expect(broker.deadLettered("orders.created")).toMatchObject([{ reason: "the bank is closed", attempts: 6 }]);
  expect(broker.published("invoices.created")).toEqual([]);
});
// #endregion

// #region advance
test("a bank that does not answer is asked again after 30 s", async () => {
  let asked = 0;
  await startBilling(broker, async () => {
    asked += 1;
    if (asked === 1) await new Promise(() => {}); // for ever
  });
  await broker.publish("orders.created", { body: '{"id":7}' });
  await broker.advance(30_000); // the time limit of a handler
  await broker.advance(1_000); // the delay before the second attempt

  expect(asked).toBe(2);
  expect(broker.published("invoices.created").map((invoice) => invoice.json())).toEqual([{ order: 7 }]);
});
// #endregion
