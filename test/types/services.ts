/**
 * Type tests: what must compile does, and what must not has an `@ts-expect-error` above it, which is an error itself where the
 * line compiles. Checked by `npm run check`; never run.
 */
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { createBroker, createService, topic } from "../../src/index.ts";

const service = createService({ name: "billing" });

const Zod = topic("orders.created", z.object({ id: z.number(), at: z.string().transform((text) => new Date(text)) }));
const Valibot = topic("orders.paid", v.object({ id: v.number() }));
const Arktype = topic("orders.closed", type({ id: "number" }));

service.subscribe(Zod, (order, context) => {
  const id: number = order.id;
  const at: Date = order.at;
  const header: string | undefined = context.header["x"];
  // @ts-expect-error the schema has no such property
  order.total;
  return [id, at, header];
});
service.subscribe(Valibot, async (order) => order.id.toFixed());
service.subscribe(Arktype, async (order) => order.id.toFixed(), { queue: "billing", maxAttempts: 3 });

// @ts-expect-error the handler wants another payload
service.subscribe(Zod, (order: { id: string }) => order);
// @ts-expect-error a service settles by return and error
service.subscribe(Zod, () => {}, { autoAck: false });
// @ts-expect-error no such option
service.subscribe("plain", () => {}, { que: "billing" });
// @ts-expect-error neither a function nor an object
service.subscribe("plain", "handler");

class Handlers {
  created(_payload: unknown): void {}
}
service.subscribe("plain", new Handlers(), { methods: ["created"] });
service.subscribe("plain", (payload: { id: number }) => payload.id);
service.subscribe("plain", (payload) => payload.anything);

const created = service.publisher(Zod);
void created.publish({ id: 7, at: "2026-01-01" }, { key: "k", header: { a: "b" } });
// @ts-expect-error publishers take the schema's input, not its output
void created.publish({ id: 7, at: new Date() });
// @ts-expect-error a wrong payload
void created.publish({ id: "7", at: "2026-01-01" });
// @ts-expect-error no such option
void created.publish({ id: 7, at: "2026-01-01" }, { priority: 1 });
void service.publisher("plain").publish({ anything: true });

// @ts-expect-error a service has a name
createService({});
// @ts-expect-error no such option
createService({ name: "x", brokr: "memory:" });

const broker = createBroker("memory:");
// @ts-expect-error no such option
void broker.subscribe("t", () => {}, { durable: true });
// @ts-expect-error header values are strings
void broker.publish("t", { header: { a: 1 } });
// @ts-expect-error no such option
createBroker("memory:", { drainTimeout: 5 });
