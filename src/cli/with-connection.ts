import type { Broker } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import type { GivenFlags } from "../service/settings/parse-flags.ts";
import { resolveBrokerSettings } from "../service/settings/resolve-settings.ts";
import { openBroker, withBroker } from "./open-broker.ts";
import { terminalLogger, terminalOnError } from "./report-error.ts";
import type { Terminal } from "./terminal.ts";

/** How long disconnecting may take for a command that publishes nothing of its own, in milliseconds. */
const DRAIN_MS = 1_000;

/**
 * Connects the broker that flags and environment stand for, runs `work`, and disconnects, however it ended. From the moment it is
 * connected it is for `work` to see `stop`.
 * @throws what connecting or `work` threw; BrokerError `ERR_NOT_CONNECTED` when it was interrupted while it connected
 */
export async function withConnection(
  flags: GivenFlags,
  terminal: Terminal,
  work: (broker: Broker, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const settings = resolveBrokerSettings(flags, terminal.env);
  const stop = terminal.stopSignal();
  const broker = openBroker(settings, {
    logger: terminalLogger(terminal),
    onError: terminalOnError(terminal),
    drainTimeoutMs: DRAIN_MS,
  });
  await withBroker(broker, terminal, async () => {
    try {
      await broker.connect({ signal: stop });
    } catch (error) {
      if (!(stop.aborted && error === stop.reason)) throw error;
      throw new BrokerError("ERR_NOT_CONNECTED", "Interrupted before it was connected: nothing was done.");
    }
    await work(broker, stop);
  });
}
