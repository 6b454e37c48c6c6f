import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { before } from "../../internal/wait.ts";

/** How long a call waits for a connection, or for the server to take what it has to publish, in milliseconds. */
const WITHIN_MS = 30_000;

/**
 * The promise, or `ERR_CONNECTION_LOST` where the server is away, or takes nothing, for longer than 30 s: the call may be tried
 * again. The work behind the promise goes on.
 */
export async function within<T>(clock: Clock, promise: Promise<T>): Promise<T> {
  if (await before(clock, clock.now() + WITHIN_MS, promise)) return promise;
  throw new BrokerError("ERR_CONNECTION_LOST", `RabbitMQ did not answer within ${WITHIN_MS} ms.`, {
    driver: "rabbitmq",
  });
}
