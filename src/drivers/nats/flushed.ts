import type { NatsConnection } from "@nats-io/transport-node";

/**
 * Resolves when the server has read everything that was sent, and everything has been heard that it said before it answered: what
 * it refuses it says first.
 */
export async function flushed(connection: Pick<NatsConnection, "flush">): Promise<void> {
  await connection.flush();
  // The client tells of both by promises, which have all run by the next tick.
  await new Promise<void>((resolve) => process.nextTick(resolve));
}
