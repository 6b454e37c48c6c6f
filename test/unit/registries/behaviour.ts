import { describe, expect, test } from "vitest";
import type { Registry, Service } from "../../../src/registry.ts";
import { collect, eventually, expectRefusal, ids, node, service } from "./helpers.ts";

/** What every registry must do. `open` makes an empty one that ends with its test. */
export function registryBehaviour(name: string, open: () => Promise<Registry>): void {
  describe(`${name}: the behaviour of every registry`, () => {
    test("knows nothing at first", async () => {
      const registry = await open();
      expect(await registry.getService("orders")).toEqual([]);
      expect(await registry.listServices()).toEqual([]);
    });

    test("gives back exactly what was registered", async () => {
      const registry = await open();
      const value = { name: "Order", type: "object", values: [{ name: "id", type: "int", values: null }] };
      const record: Service = {
        name: "orders",
        version: "1.2.3",
        metadata: { team: "sales", __proto__x: "1" },
        endpoints: [{ name: "orders.created", request: value, response: null, metadata: { subscriber: "true" } }],
        nodes: [{ id: "a", address: "[::1]:7000", metadata: { "key with spaces": "ü ☃" } }],
      };
      await registry.register(record);
      expect(await registry.getService("orders")).toEqual([record]);
      expect(await registry.listServices()).toEqual([record]);
    });

    test("keeps what it was given, whatever the caller does to it afterwards", async () => {
      const registry = await open();
      const metadata: Record<string, string> = { state: "old" };
      await registry.register(service("orders", [], { nodes: [node("a", metadata)] }));
      metadata.state = "new";
      const found = await registry.getService("orders");
      expect(found[0]?.nodes[0]?.metadata.state).toBe("old");
      found.length = 0;
      expect(await ids(registry, "orders")).toEqual(["a"]);
    });

    test("has metadata without a prototype", async () => {
      const registry = await open();
      await registry.register(service("orders", ["a"]));
      const [found] = await registry.getService("orders");
      expect(found?.metadata.constructor).toBeUndefined();
      expect(found?.nodes[0]?.metadata.toString).toBeUndefined();
    });

    test("adds nodes, and replaces those of the same id", async () => {
      const registry = await open();
      await registry.register(service("orders", ["a"]));
      await registry.register(service("orders", ["b"]));
      await registry.register(service("orders", [], { nodes: [node("a", { moved: "yes" })] }));
      const [found, ...others] = await registry.getService("orders");
      expect(others).toEqual([]);
      expect(found?.nodes).toEqual([node("a", { moved: "yes" }), node("b")]);
    });

    test("keeps versions apart", async () => {
      const registry = await open();
      await registry.register(service("orders", ["a"]));
      await registry.register(service("orders", ["a"], { version: "2" }));
      expect((await registry.getService("orders")).map(({ version }) => version)).toEqual(["1", "2"]);
      await registry.deregister(service("orders", ["a"]));
      expect((await registry.getService("orders")).map(({ version }) => version)).toEqual(["2"]);
    });

    test("removes nodes by id, and ignores unknown ones", async () => {
      const registry = await open();
      await registry.register(service("orders", ["a", "b"]));
      await registry.deregister(service("orders", ["b", "c"]));
      await registry.deregister(service("nothing", ["a"]));
      expect(await ids(registry, "orders")).toEqual(["a"]);
      await registry.deregister(service("orders", ["a"]));
      expect(await registry.getService("orders")).toEqual([]);
      expect(await registry.listServices()).toEqual([]);
    });

    test("takes many calls at once", async () => {
      const registry = await open();
      const names = Array.from({ length: 50 }, (_, index) => `node-${String(index).padStart(2, "0")}`);
      await Promise.all(names.map((id) => registry.register(service("orders", [id]))));
      expect(await ids(registry, "orders")).toEqual(names);
      await Promise.all(names.map((id) => registry.deregister(service("orders", [id]))));
      expect(await ids(registry, "orders")).toEqual([]);
    });

    test("tells watchers what changed, and nothing but that", async () => {
      const registry = await open();
      await registry.register(service("orders", ["a"]));
      const heard = await collect(registry);
      await registry.register(service("orders", ["a"]));
      await registry.register(service("orders", ["a", "b"]));
      await eventually(() => expect(heard).toEqual(["create orders@1 b"]));
      await registry.register(service("orders", [], { nodes: [node("b", { busy: "yes" })] }));
      await eventually(() => expect(heard.slice(1)).toEqual(["update orders@1 b"]));
      await registry.deregister(service("orders", ["a"]));
      await eventually(() => expect(heard.slice(2)).toEqual(["delete orders@1 a"]));
    });

    test("tells a watcher of one service of no other", async () => {
      const registry = await open();
      const heard = await collect(registry, "orders");
      await registry.register(service("invoices", ["x"]));
      await registry.register(service("orders", ["a"]));
      await eventually(() => expect(heard).toEqual(["create orders@1 a"]));
    });

    test("does not call a closed watcher", async () => {
      const registry = await open();
      const heard: unknown[] = [];
      const watcher = await registry.watch((event) => heard.push(event));
      const open2 = await collect(registry);
      watcher.close();
      watcher.close();
      await registry.register(service("orders", ["a"]));
      await eventually(() => expect(open2).toHaveLength(1));
      expect(heard).toEqual([]);
    });

    test("a look-up from a listener sees the change", async () => {
      const registry = await open();
      const seen = new Promise<string[]>((resolve, reject) => {
        registry.watch(() => ids(registry, "orders").then(resolve, reject)).catch(reject);
      });
      await collect(registry);
      await registry.register(service("orders", ["a"]));
      expect(await seen).toEqual(["a"]);
    });

    test("a record that is not registered again ends with its TTL", async () => {
      const registry = await open();
      const heard = await collect(registry);
      await registry.register(service("orders", ["a"]), { ttlMs: 150 });
      await registry.register(service("orders", ["b"]), { ttlMs: 60_000 });
      await eventually(() => expect(heard).toContain("delete orders@1 a"));
      expect(await ids(registry, "orders")).toEqual(["b"]);
      expect(heard.filter((event) => event.startsWith("delete"))).toEqual(["delete orders@1 a"]);
    });

    test("registering again prolongs a record", async () => {
      const registry = await open();
      const heard = await collect(registry);
      await registry.register(service("orders", ["a"]), { ttlMs: 500 });
      await registry.register(service("orders", ["a"]), { ttlMs: 60_000 });
      await registry.register(service("orders", ["b"]), { ttlMs: 800 });
      await eventually(() => expect(heard).toContain("delete orders@1 b"));
      expect(await ids(registry, "orders")).toEqual(["a"]);
    });

    test("standing records can be registered, refreshed and removed", async () => {
      const registry = await open();
      await registry.register(service("queues", ["q"], { nodes: [{ ...node("q"), address: "" }] }), { standing: true });
      await registry.register(service("queues", ["q"]), { standing: true, ttlMs: 90_000 });
      expect(await ids(registry, "queues")).toEqual(["q"]);
      await registry.deregister(service("queues", ["q"]));
      expect(await ids(registry, "queues")).toEqual([]);
    });

    test("refuses records that are malformed, without effect", async () => {
      const registry = await open();
      await expectRefusal(registry.register(service("", ["a"])), /service\.name must not be empty/);
      await expectRefusal(registry.register(service("orders", [])), /it has no nodes/);
      await expectRefusal(registry.register(service("orders", ["a", ""])), /service\.nodes\[1\]\.id must not be empty/);
      const metadata = { port: 7 } as unknown as Record<string, string>;
      await expectRefusal(
        registry.register(service("orders", ["a"], { metadata })),
        /metadata\["port"\] must be a string/,
      );
      expect(await registry.listServices()).toEqual([]);
    });

    test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses a TTL of %s", async (ttlMs) => {
      const registry = await open();
      await expect(registry.register(service("orders", ["a"]), { ttlMs })).rejects.toMatchObject({
        code: "ERR_INVALID_OPTION",
      });
      expect(await registry.listServices()).toEqual([]);
    });
  });
}
