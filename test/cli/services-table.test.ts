import { describe, expect, test } from "vitest";
import { summarize } from "../../src/cli/service-summary.ts";
import { servicesTable } from "../../src/cli/services-table.ts";
import type { Service } from "../../src/registry.ts";
import { fakeTerminal } from "./fake-terminal.ts";

function service(version: string, nodes: Record<string, string>[], endpoints: Record<string, string>[] = []): Service {
  return {
    name: "micro.http.broker",
    version,
    metadata: {},
    endpoints: endpoints.map((metadata, n) => ({ name: `e${n}`, request: null, response: null, metadata })),
    nodes: nodes.map((metadata, n) => ({ id: `n${n}`, address: "127.0.0.1:7000", metadata })),
  };
}

describe("summarize", () => {
  test("reads Tidings' subscriptions: pattern and queue", () => {
    const nodes = [
      { broker: "http", "tidings-pattern": "orders.>", "tidings-queue": "billing" },
      { broker: "http", topic: "a", "tidings-pattern": "a", "tidings-queue": "billing" },
    ];
    expect(summarize(service("billing", nodes))).toEqual({
      nodes: 2,
      addresses: ["127.0.0.1:7000"],
      topics: ["a", "orders.>"],
      queues: ["billing"],
    });
  });

  test("reads go-micro's subscriptions: the version is the queue, but for broadcast", () => {
    expect(summarize(service("billing", [{ broker: "http", topic: "a" }]))).toMatchObject({
      topics: ["a"],
      queues: ["billing"],
    });
    expect(summarize(service("ff.http.broadcast", [{ broker: "http", topic: "a" }]))).toMatchObject({
      topics: ["a"],
      queues: [],
    });
  });

  test("reads endpoints of services, whose version is no queue", () => {
    expect(
      summarize(service("latest", [{ protocol: "mucp" }], [{ topic: "events", subscriber: "true" }])),
    ).toMatchObject({ topics: ["events"], queues: [] });
  });
});

describe("servicesTable", () => {
  const long = service("ff.http.broadcast", [
    { broker: "http", topic: "a.very.long.topic.name.that.does.not.fit.on.a.narrow.terminal" },
  ]);

  test.each([50, 80, 200])("fits a terminal of %i columns", (columns) => {
    const lines = servicesTable([long], fakeTerminal({ columns }).stdout).split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    const characters = (text: string) => [...text.replace(/[^a-z.]/g, "")].sort().join("");
    expect(characters(lines.join(""))).toBe(characters(servicesTable([long], fakeTerminal().stdout)));
  });

  test("is as wide as it needs where there is no terminal", () => {
    expect(servicesTable([long], fakeTerminal().stdout)).toContain(
      "a.very.long.topic.name.that.does.not.fit.on.a.narrow.terminal",
    );
  });

  test("shows control characters as escapes", () => {
    const text = servicesTable([service("\u001b[2J", [{ broker: "http", topic: "\u0007" }])], fakeTerminal().stdout);
    expect(text).toContain("\\u001b[2J");
    expect(text).toContain("\\u0007");
    expect(text).not.toContain("\u001b[2J");
  });
});
