import type { Broker } from "../broker.ts";

/** How many services use a broker: those that share one know of each other only through it. */
const users = new WeakMap<Broker, number>();

/** A service begins to use a broker. */
export function useBroker(broker: Broker): void {
  users.set(broker, (users.get(broker) ?? 0) + 1);
}

/** A service no longer uses a broker; the last one closes it. */
export async function releaseBroker(broker: Broker): Promise<void> {
  const left = (users.get(broker) ?? 1) - 1;
  users.set(broker, left);
  if (left === 0) await broker.disconnect();
}
