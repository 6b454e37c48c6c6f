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
import { terminalOnError } from "../report-error.ts";
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
  // Not `secure`: whoever only asks is in no registry, and its certificate would be pinned nowhere.
  const { secret, tls } = brokerOptions;
  const protection = { ...(secret === undefined ? {} : { secret }), ...(tls === undefined ? {} : { tls }) };
  const survey = surveyPeers(registry, { ...protection, onRefused: terminalOnError(terminal) });
  const [named, told] = await Promise.all([registry.listServices(), survey]);
  const services = [...named, ...unnamed(told, named)].sort(byName);
  const output = new LineWriter(terminal.stdout);
  if (flags.json === true) return output.write(jsonLine(services.map(shown)));
  const tables = servicesTable(services, terminal.stdout, colorsFor(terminal.stdout, terminal.env));
  await output.write(tables === "" ? `The ${registry.name} registry knows no services.` : tables);
}

/** What peers told, without the subscriptions that go-micro peers find in the registry: those are there already. */
function unnamed(told: readonly Service[], named: readonly Service[]): Service[] {
  const ids = new Set(named.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
  return told
    .map((service) => ({ ...service, nodes: service.nodes.filter(({ id }) => !ids.has(id)) }))
    .filter(({ nodes }) => nodes.length > 0);
}

/** The promised fields, and those only. */
function shown({ name, version, endpoints, nodes }: Service): object {
  return { name, version, endpoints, nodes: nodes.map(({ id, address, metadata }) => ({ id, address, metadata })) };
}

function byName(left: Service, right: Service): number {
  return compare(left.name, right.name) || compare(left.version, right.version);
}
