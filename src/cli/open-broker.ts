import type { Broker } from "../broker.ts";
import type { BrokerOptions } from "../broker-options.ts";
import { createBroker } from "../create-broker.ts";
import type { Settings } from "../service/settings/resolve-settings.ts";
import { reportError } from "./report-error.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Makes the broker that the settings stand for; not connected yet.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function openBroker(settings: Settings, options: BrokerOptions): Broker {
  return createBroker(settings.broker, { ...settings.brokerOptions, ...options });
}

/**
 * Runs `work`, then disconnects the broker, however the work ended.
 * @throws what `work` threw, else what disconnecting threw
 */
export async function withBroker(broker: Broker, terminal: Terminal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await broker.disconnect().catch((second: unknown) => reportError(second, terminal));
    throw error;
  }
  await broker.disconnect();
}
