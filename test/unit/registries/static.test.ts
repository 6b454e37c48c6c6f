import { describe, expect, test } from "vitest";
import { staticRegistry } from "../../../src/registries/static.ts";
import { registryBehaviour } from "./behaviour.ts";
import { collect, eventually, ids, node, service } from "./helpers.ts";

registryBehaviour("static, with an empty list", async () => staticRegistry([]));

describe("a fixed list", () => {
  const list = [service("orders", ["a", "b"]), service("orders", ["c"], { version: "2" }), service("invoices", ["x"])];

  test("is what look-ups give", async () => {
    const registry = staticRegistry(list);
    expect(await registry.getService("orders")).toEqual(list.slice(0, 2));
    expect(await ids(registry, "nothing")).toEqual([]);
    expect((await registry.listServices()).map(({ name }) => name)).toEqual(["invoices", "orders", "orders"]);
  });

  test("cannot be deregistered", async () => {
    const registry = staticRegistry(list);
    const heard = await collect(registry);
    await registry.deregister(service("orders", ["a"]));
    expect(await ids(registry, "orders")).toEqual(["a", "b", "c"]);
    expect(heard).toEqual([]);
  });

  test("goes together with what this process registers", async () => {
    const registry = staticRegistry(list);
    await registry.register(service("orders", ["own"]));
    expect(await ids(registry, "orders")).toEqual(["a", "b", "own", "c"]);
    expect(await ids(staticRegistry(list), "orders")).toEqual(["a", "b", "c"]);
  });

  test("comes back where a registered record stood in for it", async () => {
    const registry = staticRegistry(list);
    const heard = await collect(registry);
    const standIn = service("orders", [], { nodes: [node("a", { own: "yes" })] });
    await registry.register(standIn, { ttlMs: 100 });
    expect((await registry.getService("orders"))[0]?.nodes).toEqual([node("a", { own: "yes" }), node("b")]);
    await eventually(() => expect(heard).toEqual(["update orders@1 a", "update orders@1 a"]));
    expect((await registry.getService("orders"))[0]?.nodes).toEqual([node("a"), node("b")]);
  });

  test("is refused when it is malformed", () => {
    expect(() => staticRegistry([service("orders", [])])).toThrow(/has no nodes/);
    expect(() => staticRegistry([{ ...service("orders", ["a"]), version: 1 as unknown as string }])).toThrow(
      /service\.version must be a string/,
    );
  });
});
