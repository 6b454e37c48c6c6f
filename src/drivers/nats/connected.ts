import type { NatsConnection } from "@nats-io/transport-node";
import type { DriverContext } from "../../driver.ts";
import { abortable } from "../../internal/wait.ts";
import { loadClient, type NatsClient, openConnection } from "./client.ts";
import type { ResolvedCoreOptions } from "./options.ts";

/** Opens a connection, or takes the one given, and what `make` makes of it; leaves nothing behind when that fails. */
export async function connected<T>(
  options: ResolvedCoreOptions,
  context: DriverContext,
  signal: AbortSignal,
  make: (client: NatsClient, connection: NatsConnection) => Promise<T>,
): Promise<T> {
  const client = await loadClient();
  const opening =
    options.connection === undefined ? openConnection(client, options, context) : Promise.resolve(options.connection);
  const leave = async (): Promise<void> => {
    if (options.connection === undefined) await (await opening).close();
  };
  let made: Promise<T> | undefined;
  try {
    const connection = await abortable(opening, signal);
    made = make(client, connection);
    return await abortable(made, signal);
  } catch (error) {
    const left = leave();
    // A connection that did not open needs no closing; its error is the one thrown here.
    if (signal.aborted) void left.catch(() => {});
    else await left.catch(() => {});
    throw error;
  }
}
