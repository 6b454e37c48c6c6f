// The program that vitest.ts and node-test.ts test.
import type { Broker } from "tidings";

// #region billing
export async function startBilling(broker: Broker, charge: (orderId: number) => Promise<void>): Promise<void> {
  await broker.connect();
  await broker.subscribe(
    "orders.created",
    async (delivery) => {
      const { id } = delivery.json();
      await charge(id);
      await broker.publisher("invoices.created").publish({ order: id });
    },
    { queue: "billing", maxAttempts: 6, backoffMs: 1_000 },
  );
}
// #endregion
