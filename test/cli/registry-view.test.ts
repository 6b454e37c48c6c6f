import { describe, expect, test } from "vitest";
import { viewRegistry } from "../../src/cli/registry-view.ts";
import type { SubscribeRequest } from "../../src/driver.ts";
import { peerRecord, queueRecord, subscriptionRecord } from "../../src/drivers/http/records.ts";
import type { Endpoint, Service } from "../../src/registry.ts";

function endpoint(name: string, metadata: Record<string, string> = {}): Endpoint {
  return { name, request: null, response: null, metadata };
}

function service(name: string, version: string, addresses: string[], endpoints: Endpoint[] = []): Service {
  const nodes = addresses.map((address, n) => ({ id: `${name}-${n}`, address, metadata: {} }));
  return { name, version, metadata: {}, endpoints, nodes };
}

function subscription(pattern: string, queue: string | undefined, goMicro = false): Service {
  const request = { id: `${pattern}-${queue}-${goMicro}`, pattern, queue, ackTimeoutMs: 30_000 } as SubscribeRequest;
  return subscriptionRecord(request, { address: "127.0.0.1:7000", peerId: "peer", goMicro, secure: false });
}

describe("the view of a registry", () => {
  test("has services and their endpoints", () => {
    const view = viewRegistry([
      service(
        "billing",
        "1.2.0",
        ["127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:1", ""],
        [endpoint("pay", { topic: "orders.>", queue: "billing", subscriber: "true" }), endpoint("Billing.Call")],
      ),
    ]);
    expect(view.services).toEqual([
      { name: "billing", version: "1.2.0", nodes: 4, addresses: ["127.0.0.1:1", "127.0.0.1:2"] },
    ]);
    expect(view.endpoints).toEqual([
      { service: "billing", name: "pay", topic: "orders.>", queue: "billing" },
      { service: "billing", name: "Billing.Call", topic: "", queue: "" },
    ]);
    expect([view.subscriptions, view.peers]).toEqual([[], 0]);
  });

  test("names the version of an endpoint's service where there are several", () => {
    const records = ["1", "2"].map((version) => service("billing", version, [], [endpoint("pay")]));
    const { endpoints } = viewRegistry([...records, service("shipping", "1", [], [endpoint("ship")])]);
    expect(endpoints.map((one) => one.service)).toEqual(["billing 1", "billing 2", "shipping"]);
  });

  // The records are those that the HTTP broker makes: were it to name them otherwise, they would appear as services.
  test("keeps apart what the HTTP broker has there, and sums it up", () => {
    const goMicro = service("micro.http.broker", "legacy", []);
    const nodes = [{ id: "g", address: "10.0.0.1:80", metadata: { broker: "http", topic: "orders.created" } }];
    const { services, subscriptions, peers } = viewRegistry([
      peerRecord("one", "127.0.0.1:7000"),
      peerRecord("two", "127.0.0.1:7001"),
      subscription("orders.>", "audit"),
      subscription("orders.created", "billing"),
      subscription("orders.created", undefined),
      subscription("orders.created", undefined, true),
      subscription("orders.created", "billing", true),
      { ...goMicro, nodes },
      { ...goMicro, version: "ff.http.broadcast", nodes },
      queueRecord({ pattern: "orders.created", queue: "billing" }),
      queueRecord({ pattern: "audit.>", queue: "archive" }),
      queueRecord({ pattern: "audit.>", queue: "removed" }, true),
    ]);
    const here = ["127.0.0.1:7000"];
    expect([services, peers]).toEqual([[], 2]);
    expect(subscriptions).toEqual([
      { topic: "audit.>", queue: "archive", subscribers: 0, addresses: [] },
      { topic: "orders.>", queue: "audit", subscribers: 1, addresses: here },
      { topic: "orders.created", queue: "", subscribers: 3, addresses: ["10.0.0.1:80", ...here] },
      { topic: "orders.created", queue: "billing", subscribers: 2, addresses: here },
      { topic: "orders.created", queue: "legacy", subscribers: 1, addresses: ["10.0.0.1:80"] },
    ]);
  });

  test("counts a subscription once that peers of the newer and of the older go-micro can reach", () => {
    const newer = subscription("orders.created", "billing", true);
    const { services, subscriptions } = viewRegistry([newer, { ...newer, name: "go.micro.http.broker" }]);
    expect(services).toEqual([]);
    expect(subscriptions).toEqual([
      { topic: "orders.created", queue: "billing", subscribers: 1, addresses: ["127.0.0.1:7000"] },
    ]);
  });
});
