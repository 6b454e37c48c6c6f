import type { Command } from "commander";
import { registryByName } from "../../registries/by-name.ts";
import type { Service } from "../../registry.ts";
import { surveyPeers } from "../../schemes.ts";
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

/** Adds `tidings services`: what the registry knows, and what the live brokers in it tell. It needs no broker of its own. */
export function addServices(program: Command, terminal: Terminal): void {
  const command = program
    .command("services")
    .description(
      "Show what the registry and its live brokers know: services, nodes, endpoints, who subscribes to what, and what is stored.",
    )
    .option("--json", "print one line of JSON")
    .addHelpText("after", "\nExamples:\n  tidings services\n  tidings services --json | jq '.[].name'")
    .action((flags: ServicesFlags) => showServices(flags, terminal));
  addSharedOptions(command);
}

async function showServices(flags: ServicesFlags, terminal: Terminal): Promise<void> {
  const { brokerOptions } = resolveBrokerSettings(flags, terminal.env);
  const registry = await registryByName(brokerOptions.registry ?? "local", brokerOptions.registryAddress);
  const [named, told] = await Promise.all([registry.listServices(), surveyPeers(registry, brokerOptions.secret)]);
  const services = [...named, ...told].sort(byName);
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
