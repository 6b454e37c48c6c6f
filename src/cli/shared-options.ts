import type { Command } from "commander";

/** Adds the options that every command takes. `resolveSettings` makes settings of them. */
export function addSharedOptions(command: Command): Command {
  return command
    .option("--broker <name|url>", "the broker: a name (http, memory) or a URL (env TIDINGS_BROKER, MICRO_BROKER)")
    .option("--broker-address <host:port>", "its address (env TIDINGS_BROKER_ADDRESS, MICRO_BROKER_ADDRESS)")
    .option("--registry <name>", "where peers are found: local, memory (env TIDINGS_REGISTRY, MICRO_REGISTRY)")
    .option("--registry-address <address>", "its address; of local, its folder (env TIDINGS_REGISTRY_ADDRESS, ...)")
    .option("--wire <name>", "tidings, or go-micro to reach go-micro peers as well (env TIDINGS_WIRE)")
    .option("--storage <folder>", "keep the outbox on disk (env TIDINGS_STORAGE)");
}
