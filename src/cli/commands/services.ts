import type { Command } from "commander";
import { registryByName } from "../../registries/by-name.ts";
import type { Service } from "../../registry.ts";
import { jsonLine } from "../escape.ts";
import { LineWriter } from "../line-writer.ts";
import { servicesTable } from "../services-table.ts";
import { resolveSettings, type SharedFlags } from "../settings.ts";
import { addSharedOptions } from "../shared-options.ts";
import type { Terminal } from "../terminal.ts";

interface ServicesFlags extends SharedFlags {
  readonly json?: boolean;
}

/** Adds `tidings services`: what the registry knows. It needs no broker. */
export function addServices(program: Command, terminal: Terminal): void {
  const command = program
    .command("services")
    .description("Show what the registry knows: services, nodes, topics and queues.")
    .option("--json", "print one line of JSON")
    .addHelpText("after", "\nExamples:\n  tidings services\n  tidings services --json | jq '.[].name'")
    .action((flags: ServicesFlags) => showServices(flags, terminal));
  addSharedOptions(command);
}

async function showServices(flags: ServicesFlags, terminal: Terminal): Promise<void> {
  const settings = resolveSettings(flags, terminal.env);
  const registry = await registryByName(settings.registry ?? "local", settings.registryAddress);
  const services = (await registry.listServices()).sort(byName);
  const output = new LineWriter(terminal.stdout);
  if (flags.json === true) await output.write(jsonLine(services.map(shown)));
  else if (services.length === 0) await output.write(`The ${registry.name} registry knows no services.`);
  else await output.write(servicesTable(services, terminal.stdout));
}

/** The promised fields, and those only. */
function shown({ name, version, endpoints, nodes }: Service): object {
  return { name, version, endpoints, nodes: nodes.map(({ id, address, metadata }) => ({ id, address, metadata })) };
}

function byName(left: Service, right: Service): number {
  return compare(left.name, right.name) || compare(left.version, right.version);
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
