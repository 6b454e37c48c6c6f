// Functions and objects as subscribers, before the service starts and while it runs.
import { type Context, createService } from "tidings";

interface Order {
  readonly id: number;
}

const service = createService({ name: "billing", broker: "memory:" });

// #region function
service.subscribe(
  "orders.created",
  async (order: Order, context) => {
    console.log(`invoice for order ${order.id}, attempt ${context.attempt}`);
  },
  { queue: "billing", concurrency: 4, maxAttempts: 3 },
);
// #endregion

// #region object
class Orders {
  async count(order: Order) {
    console.log(`counted ${order.id}`);
  }

  async announce(order: Order, context: Context) {
    console.log(`announced ${order.id} of ${context.topic}${this._mark()}`);
  }

  _mark() {
    return "!";
  }
}

service.subscribe("orders.paid", new Orders());
service.subscribe("orders.closed", new Orders(), { methods: ["announce"] });
// #endregion

await service.start();
for (const topic of ["orders.created", "orders.paid", "orders.closed"]) {
  await service.publisher<Order>(topic).publish({ id: 7 });
  await service.broker.flush();
}

// #region late
const audit = service.subscribe("orders.>", (_order, context) => console.log(`audit: ${context.topic}`));
await audit.ready(); // every message published from here on arrives
await service.publisher<Order>("orders.returned").publish({ id: 7 });
await audit.unsubscribe(); // when what runs has ended
// #endregion

await service.stop();
