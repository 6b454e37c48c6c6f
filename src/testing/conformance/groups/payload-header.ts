import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import type { CheckContext } from "../check-context.ts";
import { atLeastOnce } from "../needs.ts";
import type { Seen } from "../receiver.ts";
import { WEIRD_NAMES, WEIRD_STRINGS } from "../weird-strings.ts";

/** C. Payload: headers. */
export const headerChecks: readonly CheckDefinition[] = [
  {
    name: "weird header values arrive as they were sent",
    promises: ["D9"],
    run: async (context) =>
      void (await roundTrip(
        context,
        Object.fromEntries(Object.values(WEIRD_STRINGS).map((value, index) => [`x-${index}`, value])),
      )),
  },
  {
    name: "weird header names arrive as they were sent",
    promises: ["D9"],
    run: async (context) =>
      void (await roundTrip(
        context,
        Object.fromEntries(Object.entries(WEIRD_STRINGS).map(([name, value]) => [value, name])),
      )),
  },
  {
    name: "header names that mean something elsewhere are names like any other",
    promises: ["D9"],
    async run(context) {
      const header: Record<string, string> = Object.create(null);
      for (const name of WEIRD_NAMES) header[name] = `value of ${name}`;
      const seen = await roundTrip(context, header);
      assert.equal(Object.getPrototypeOf(seen.header), null, "a header map has a prototype");
      assert.equal(Object.hasOwn({}, "value of __proto__"), false);
    },
  },
  {
    name: "an empty header value is not a missing one",
    promises: ["D9"],
    async run(context) {
      await roundTrip(context, { "x-empty": "", "x-full": "x" });
    },
  },
  {
    name: "no header arrives as no header",
    promises: ["D9"],
    async run(context) {
      await roundTrip(context, {});
    },
  },
  {
    name: "header names that differ in case are two",
    promises: ["D9"],
    async run(context) {
      await roundTrip(context, { "X-Case": "upper", "x-case": "lower" });
    },
  },
  {
    name: "100 headers arrive",
    promises: ["D9"],
    run: async (context) =>
      void (await roundTrip(
        context,
        Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-header-${index}`, `value ${index}`])),
      )),
  },
  {
    name: "a long header value arrives",
    promises: ["D9"],
    run: async (context) => void (await roundTrip(context, { "x-long": "0123456789".repeat(400) })),
  },
  {
    name: "a retry carries the same header and body, with nothing added",
    promises: ["D9", "D4"],
    needs: atLeastOnce,
    async run(context) {
      const broker = await context.open();
      const topic = context.topic();
      const receiver = await context.receive(broker, topic, {
        backoffMs: 10,
        handle: (delivery) => {
          if (delivery.attempt === 1) throw new Error("once more");
        },
      });
      await broker.publish(topic, { header: { "x-a": "1" }, body: "again" });
      await context.untilSeen(2, receiver);
      for (const seen of receiver.seen) assert.deepEqual([{ ...seen.header }, seen.text], [{ "x-a": "1" }, "again"]);
    },
  },
];

async function roundTrip(context: CheckContext, header: Readonly<Record<string, string>>): Promise<Seen> {
  const [sender, receiver] = [await context.open(), await context.open()];
  const topic = context.topic();
  const subscriber = await context.receive(receiver, topic);
  await sender.publish(topic, { header, body: "x" });
  await context.untilSeen(1, subscriber);
  const [seen] = subscriber.seen;
  assert.ok(seen !== undefined);
  const entries = (map: Readonly<Record<string, string>>): [string, string][] =>
    Object.entries(map).sort(([left], [right]) => (left < right ? -1 : 1));
  assert.deepEqual(entries(seen.header), entries(header));
  return seen;
}
