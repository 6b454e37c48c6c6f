// A service that is told to end while it is at work: it finishes what it has begun and gives back the rest, which the next one
// takes. Nothing is lost, and nothing becomes a dead letter.
import { setImmediate as turn } from "node:timers/promises";
import { createService } from "tidings";

const MESSAGES = 500;
const MORE = 100;
const handled: number[] = [];

const shop = createService({ name: "shop" });
await shop.start();

function newBilling() {
  // #region service
  const billing = createService({
    name: "billing",
    brokerOptions: { drainTimeoutMs: 30_000 }, // how long running handlers may take; by default 10 s
    beforeStop: () => console.log("stopping"),
    afterStop: () => console.log("stopped"),
  });
  // #endregion
  billing.subscribe(
    "orders.created",
    async (order: { id: number }) => {
      await turn(); // work
      handled.push(order.id);
      if (handled.length === 50) process.kill(process.pid, "SIGTERM");
    },
    { queue: "billing", concurrency: 4 },
  );
  return billing;
}

const first = newBilling();
const ended = first.run(); // until SIGINT or SIGTERM
await first.start();

const created = shop.publisher("orders.created");
const published = Array.from({ length: MESSAGES }, (_, index) => created.publish({ id: index + 1 }));
await ended;
console.log(`the first one has handled 50 or more: ${handled.length >= 50}`);
for (let id = MESSAGES + 1; id <= MESSAGES + MORE; id += 1) published.push(created.publish({ id })); // these wait

const next = newBilling();
await next.start();
await Promise.all(published);
await shop.broker.flush();
console.log(
  `handled: ${new Set(handled).size} of ${MESSAGES + MORE}, twice: ${handled.length - new Set(handled).size}`,
);
console.log(`dead letters: ${(await shop.broker.deadLetters.list("orders.created")).length}`);

await next.stop();
await shop.stop();
