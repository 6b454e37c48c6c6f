import fc from "fast-check";
import { expect, test } from "vitest";
import { diffServices, mergeRecords, recordKey, toRecords } from "../../../src/registries/records.ts";
import type { RegistryEvent, Service } from "../../../src/registry.ts";
import { node, service, shortEvent } from "./helpers.ts";

test("the newest record of a node counts, and the newest of a version describes it", () => {
  const old = service("orders", ["a", "b"], { metadata: { team: "old" } });
  const young = service("orders", [], { metadata: { team: "young" }, nodes: [node("a", { new: "yes" })] });
  const records = [...toRecords(young, 2, 20).values(), ...toRecords(old, 1, 30).values()];
  const expected = [
    service("orders", [], { metadata: { team: "young" }, nodes: [node("a", { new: "yes" }), node("b")] }),
  ];
  expect(mergeRecords(records)).toEqual(expected);
  expect(mergeRecords(records.reverse())).toEqual(expected);
});

test("names with any characters stay apart", () => {
  const keys = [
    recordKey(service('a","b', []), node("c")),
    recordKey(service("a", [], { version: 'b","c' }), node("")),
    recordKey(service("a", [], { version: "b" }), node("c")),
  ];
  expect(new Set(keys).size).toBe(3);
});

test("a change of the version's own data is an update of its nodes", () => {
  const before = [service("orders", ["a", "b"])];
  const after = [service("orders", ["a", "b"], { metadata: { team: "sales" } })];
  expect(diffServices(before, after).map(shortEvent)).toEqual(["update orders@1 a,b"]);
  expect(diffServices(after, after)).toEqual([]);
});

test("carrying out the difference of two snapshots turns one into the other", () => {
  const snapshot = fc
    .array(
      fc.record({
        name: fc.constantFrom("orders", "invoices"),
        version: fc.constantFrom("1", "2"),
        id: fc.constantFrom("a", "b", "c"),
        state: fc.constantFrom("x", "y"),
        team: fc.constantFrom("m", "n"),
        at: fc.nat(5),
      }),
    )
    .map((rows) =>
      mergeRecords(
        rows.flatMap(({ name, version, id, state, team, at }) => [
          ...toRecords(
            service(name, [], { version, metadata: { team }, nodes: [node(id, { state })] }),
            at,
            10,
          ).values(),
        ]),
      ),
    );
  fc.assert(
    fc.property(snapshot, snapshot, (before, after) => {
      const table = new Map(before.flatMap(rows));
      for (const event of diffServices(before, after)) apply(table, event);
      expect(new Map([...table].sort())).toEqual(new Map(after.flatMap(rows).sort()));
    }),
  );
});

function rows(found: Service): (readonly [string, string])[] {
  return found.nodes.map((one) => [recordKey(found, one), JSON.stringify([found.metadata, one])] as const);
}

function apply(table: Map<string, string>, { action, service: changed }: RegistryEvent): void {
  for (const [key, row] of rows(changed)) {
    expect(table.has(key)).toBe(action !== "create");
    if (action === "delete") table.delete(key);
    else table.set(key, row);
  }
}
