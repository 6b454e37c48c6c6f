import type { Broker } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { systemClock } from "../internal/clock.ts";

/**
 * Waits until everything published is delivered and settled, then disconnects. A broker that keeps nothing in the process is
 * done at once; one that has it on disk waits only for what is on its way.
 * @throws BrokerError `ERR_UNDELIVERED` with `count` for what was not delivered in time, or before `stop`
 */
export async function awaitDelivery(broker: Broker, timeoutMs: number, stop: AbortSignal): Promise<void> {
  if (broker.capabilities.durable) return broker.disconnect();
  const inTime = await flushed(broker, timeoutMs, stop);
  const when = stop.aborted ? "before it was interrupted" : `within ${timeoutMs} ms`;
  try {
    await broker.disconnect();
  } catch (error) {
    if (!(error instanceof BrokerError && error.code === "ERR_UNDELIVERED")) throw error;
    const count = error.count ?? 1;
    throw new BrokerError("ERR_UNDELIVERED", `${count} message(s) not delivered ${when}: ${error.message}`, {
      count,
      cause: error,
    });
  }
  if (!inTime && !stop.aborted) {
    throw new BrokerError("ERR_UNDELIVERED", `Not all messages were delivered ${when}; the broker keeps what is left.`);
  }
}

/** Whether everything was delivered before time was up, or `stop` was aborted. */
async function flushed(broker: Broker, timeoutMs: number, stop: AbortSignal): Promise<boolean> {
  const enough = new AbortController();
  const abort = () => enough.abort();
  const timer = systemClock.after(timeoutMs, abort);
  if (stop.aborted) abort();
  stop.addEventListener("abort", abort, { once: true });
  try {
    await broker.flush({ signal: enough.signal });
    return true;
  } catch (error) {
    if (!enough.signal.aborted) throw error;
    return false;
  } finally {
    timer.cancel();
    stop.removeEventListener("abort", abort);
  }
}
