import { BrokerError, createBroker } from "tidings";
import { silentLogger } from "../../src/logger.ts";
import { findScheme } from "../../src/schemes.ts";
import type { ChaosOptions } from "../arguments.ts";
import { foreignEngineRig, privateEngineRig } from "./engine-rig.ts";
import { httpRig } from "./http-rig.ts";
import type { Rig } from "./rig.ts";

/**
 * Makes ready what the processes meet on: nothing for the HTTP broker, the engine of the others.
 * @throws BrokerError `ERR_INVALID_OPTION` for a broker that nobody knows or an address that will not do, `ERR_UNSUPPORTED`
 * for a broker that works within one process, for an engine that is not installed, and for a proxy that cannot be
 */
export async function openRig(options: ChaosOptions): Promise<Rig> {
  const { scheme, url: named } = findScheme(options.broker);
  const hasAddress = options.address !== undefined || options.broker.includes("//");
  const url = options.address === undefined ? named : `${scheme.scheme}://${options.address}`;
  if (options.address !== undefined && !URL.canParse(url))
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `--broker-address takes host:port, not ${JSON.stringify(options.address)}.`,
    );
  if (scheme.name === "memory") {
    throw new BrokerError(
      "ERR_UNSUPPORTED",
      "Chaos needs processes of their own, and the memory broker works within one process only. Try --broker http.",
    );
  }
  if (scheme.name === "http") return httpRig(url);
  return hasAddress ? foreignEngineRig(scheme.name, url, options.cuts > 0) : privateEngineRig(scheme.name);
}

/**
 * Tells at once, and once, what each of the processes would run into.
 * @throws BrokerError as `connect` does
 */
export async function checkRig(rig: Rig, storage: string | undefined): Promise<void> {
  const broker = createBroker(rig.directUrl, { logger: silentLogger, ...(storage === undefined ? {} : { storage }) });
  await broker.connect();
  await broker.disconnect();
}
