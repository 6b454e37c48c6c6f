import type { Service } from "../registry.ts";
import type { Colors } from "./colors.ts";
import { visible } from "./escape.ts";
import { viewRegistry } from "./registry-view.ts";
import type { Output } from "./terminal.ts";
import { textTable, widthOf } from "./text-table.ts";

/** Of more addresses only these are shown, and how many there are; `--json` has all. */
const MAX_ADDRESSES = 4;

/**
 * What a registry holds as tables no wider than the terminal, without one as wide as they need: services, their endpoints,
 * what is subscribed on the HTTP broker, and what HTTP brokers keep on disk. Tables that would be empty are left out.
 */
export function servicesTable(records: readonly Service[], stdout: Output, colors: Colors): string {
  const { services, endpoints, subscriptions, peers, stored } = viewRegistry(records);
  const width = widthOf(stdout);
  const section = (title: string, headings: readonly string[], rows: readonly (readonly string[])[]): string[] => {
    if (rows.length === 0) return [];
    const table = textTable(
      headings,
      rows.map((row) => row.map(visible)),
      width,
      colors.dim,
    );
    return [`${colors.bold(title)}\n${table}`];
  };
  return [
    ...section(
      "Services",
      ["service", "version", "nodes", "addresses"],
      services.map(({ name, version, nodes, addresses }) => [name, version, String(nodes), listed(addresses)]),
    ),
    ...section(
      "Endpoints",
      ["service", "handler", "topic", "queue"],
      endpoints.map(({ service, name, topic, queue }) => [service, name, topic, queue]),
    ),
    ...section(
      `Subscriptions on the HTTP broker (peers: ${peers})`,
      ["topic", "queue", "subscribers", "addresses"],
      subscriptions.map(({ topic, queue, subscribers, addresses }) => [
        topic,
        queue,
        String(subscribers),
        listed(addresses),
      ]),
    ),
    ...section(
      "Stored by HTTP brokers",
      ["address", "messages", "bytes", "oldest"],
      stored.map(({ address, messages, bytes, since }) => [
        address,
        String(messages),
        String(bytes),
        since === undefined ? "" : new Date(since).toISOString(),
      ]),
    ),
  ].join("\n\n");
}

function listed(addresses: readonly string[]): string {
  const more = addresses.length - MAX_ADDRESSES;
  const shown = addresses.slice(0, MAX_ADDRESSES).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}
