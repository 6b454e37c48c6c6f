import { describe, expect, test } from "vitest";
import { colorsFor } from "../../src/cli/colors.ts";
import { servicesTable } from "../../src/cli/services-table.ts";
import { peerRecord, queueRecord } from "../../src/drivers/http/records.ts";
import type { Service } from "../../src/registry.ts";
import { fakeTerminal } from "./fake-terminal.ts";

function service(name: string, topic: string, ports: readonly number[] = [7000]): Service {
  const metadata = { topic, queue: "billing", subscriber: "true" };
  return {
    name,
    version: "1.2.0",
    metadata: {},
    endpoints: [{ name: "createInvoice", request: null, response: null, metadata }],
    nodes: ports.map((port) => ({ id: `${name}-${port}`, address: `127.0.0.1:${port}`, metadata: {} })),
  };
}

const NO_COLORS = { NO_COLOR: "1" };

function table(records: readonly Service[], columns?: number, env: Record<string, string> = NO_COLORS): string {
  const { stdout } = fakeTerminal(columns === undefined ? {} : { columns });
  return servicesTable(records, stdout, colorsFor(stdout, env));
}

const long = service("billing", "a.very.long.topic.name.that.does.not.fit.on.a.narrow.terminal", [1, 2, 3]);

describe("servicesTable", () => {
  test("has services, endpoints, and the subscriptions on the HTTP broker", () => {
    const records = [
      service("billing", "orders.created", [7000, 7001]),
      peerRecord("peer", "127.0.0.1:7000"),
      queueRecord({ pattern: "audit.>", queue: "archive" }),
    ];
    expect(table(records, 80)).toBe(
      [
        "Services",
        "  service  version  nodes  addresses",
        "  billing  1.2.0    2      127.0.0.1:7000, 127.0.0.1:7001",
        "",
        "Endpoints",
        "  service  handler        topic           queue",
        "  billing  createInvoice  orders.created  billing",
        "",
        "Subscriptions on the HTTP broker (peers: 1)",
        "  topic    queue    subscribers  addresses",
        "  audit.>  archive  0",
      ].join("\n"),
    );
  });

  test("has what brokers with storage keep, and since when", () => {
    const peer = (address: string, metadata: Record<string, string>): Service => {
      const record = peerRecord(address, address);
      return {
        ...record,
        nodes: record.nodes.map((node) => ({ ...node, metadata: { ...node.metadata, ...metadata } })),
      };
    };
    const records = [
      peer("127.0.0.1:7001", { "tidings-stored-messages": "0", "tidings-stored-bytes": "0" }),
      peer("127.0.0.1:7000", {
        "tidings-stored-messages": "12",
        "tidings-stored-bytes": "3400",
        "tidings-stored-since": "1795000000000",
      }),
    ];
    expect(table(records, 80)).toBe(
      [
        "Stored by HTTP brokers",
        "  address         messages  bytes  oldest",
        "  127.0.0.1:7000  12        3400   2026-11-18T11:06:40.000Z",
        "  127.0.0.1:7001  0         0",
      ].join("\n"),
    );
  });

  test("leaves out what there is none of", () => {
    expect(table([service("billing", "orders.created")])).not.toContain("HTTP broker");
    expect(table([queueRecord({ pattern: "audit.>", queue: "archive" })])).toMatch(/^Subscriptions /);
    expect(table([peerRecord("peer", "127.0.0.1:7000")])).toBe("");
  });

  test.each([50, 80, 200])("fits a terminal of %i columns", (columns) => {
    const lines = table([long], columns).split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    const characters = (text: string) => [...text.replace(/[^\w.]/g, "")].sort().join("");
    expect(characters(lines.join(""))).toBe(characters(table([long])));
  });

  test("cuts lines after blanks and dots where it can", () => {
    const lines = table([long], 60)
      .split("\n")
      .map((line) => line.trim());
    expect(lines).toContain("127.0.0.1:3");
    expect(lines).toContain("that.does.not.fit.on.a.");
  });

  test("is as wide as it needs where there is no terminal", () => {
    expect(table([long])).toContain("a.very.long.topic.name.that.does.not.fit.on.a.narrow.terminal");
  });

  test("shows a few of many addresses, and how many more there are", () => {
    const text = table([
      service(
        "billing",
        "t",
        Array.from({ length: 50 }, (_, n) => 7000 + n),
      ),
    ]);
    expect(text).toContain("50     127.0.0.1:7000, 127.0.0.1:7001, 127.0.0.1:7002, 127.0.0.1:7003 and 46 more");
  });

  test("has colours on a terminal, and none without", () => {
    expect(table([long], 80, {})).toContain("\u001b[1mServices\u001b[22m\n  \u001b[2mservice\u001b[22m  ");
    expect(table([long], undefined, {})).not.toContain("\u001b");
  });

  test("shows control characters as escapes", () => {
    const text = table([service("\u001b[2J", "\u0007")]);
    expect(text).toContain("\\u001b[2J");
    expect(text).toContain("\\u0007");
    expect(text).not.toContain("\u001b");
  });
});
