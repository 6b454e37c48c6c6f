import type { Command } from "commander";
import { registryByName } from "../../registries/by-name.ts";
import type { Service } from "../../registry.ts";
import type { GivenFlags } from "../../service/settings/parse-flags.ts";
import { resolveBrokerSettings } from "../../service/settings/resolve-settings.ts";
import { colorsFor } from "../colors.ts";
import { jsonLine } from "../escape.ts";
import { LineWriter } from "../line-writer.ts";
import { compare } from "../registry-view.ts";
import { servicesTable } from "../services-table.ts";
import { addSharedOptions } from "../shared-options.ts";
import type { Terminal } from "../terminal.ts";

interface ServicesFlags extends GivenFlags {
  readonly json?: boolean;
}

/** Adds `tidings services`: what the registry knows. It needs no broker. */
export function addServices(program: Command, terminal: Terminal): void {
  const command = program
    .command("services")
    .description("Show what the registry knows: services, nodes, endpoints, and what is subscribed on the HTTP broker.")
    .option("--json", "print one line of JSON")
    .addHelpText("after", "\nExamples:\n  tidings services\n  tidings services --json | jq '.[].name'")
    .action((flags: ServicesFlags) => showServices(flags, terminal));
  addSharedOptions(command);
}

async function showServices(flags: ServicesFlags, terminal: Terminal): Promise<void> {
  const { brokerOptions } = resolveBrokerSettings(flags, terminal.env);
  const registry = await registryByName(brokerOptions.registry ?? "local", brokerOptions.registryAddress);
  const services = (await registry.listServices()).sort(byName);
  const output = new LineWriter(terminal.stdout);
  if (flags.json === true) return output.write(jsonLine(services.map(shown)));
  const tables = servicesTable(services, terminal.stdout, colorsFor(terminal.stdout, terminal.env));
  await output.write(tables === "" ? `The ${registry.name} registry knows no services.` : tables);
}

/** The promised fields, and those only. */
function shown({ name, version, endpoints, nodes }: Service): object {
  return { name, version, endpoints, nodes: nodes.map(({ id, address, metadata }) => ({ id, address, metadata })) };
}

function byName(left: Service, right: Service): number {
  return compare(left.name, right.name) || compare(left.version, right.version);
}
