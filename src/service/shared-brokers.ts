import type { Broker } from "../broker.ts";

/** How many services use a broker, and its closing while that is under way: those that share one know of each other only so. */
interface Use {
  services: number;
  closing: Promise<void>;
}

const uses = new WeakMap<Broker, Use>();

/** A service begins to use a broker. Resolves when it can be connected: not before an earlier last user has closed it. */
export async function useBroker(broker: Broker): Promise<void> {
  const use = uses.get(broker) ?? { services: 0, closing: Promise.resolve() };
  uses.set(broker, use);
  use.services += 1;
  await use.closing.catch(() => {
    // Told by `releaseBroker` to the user that closed it.
  });
}

/** A service no longer uses a broker; the last one closes it. Resolves with whether it was the last. */
export async function releaseBroker(broker: Broker): Promise<boolean> {
  const use = uses.get(broker);
  if (use === undefined) return false;
  use.services -= 1;
  if (use.services > 0) return false;
  use.closing = broker.disconnect();
  await use.closing;
  return true;
}
