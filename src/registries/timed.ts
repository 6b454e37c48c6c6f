import { BrokerError } from "../errors.ts";
import { systemClock } from "../internal/clock.ts";
import { before } from "../internal/wait.ts";
import type { Registry } from "../registry.ts";
import { backgroundClock } from "./background-clock.ts";

/** How long a registry may take to answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** How long who leaves a registry waits for it, in milliseconds: a record that stays ends with its TTL. */
const LEAVE_WITHIN_MS = 2_000;

/**
 * Any registry, with a limit to how long its answers are waited for: one that hangs, as a folder on a network that is gone does, must
 * hold up neither a subscribe nor a disconnect for ever. A call that takes more than 10 s rejects with `ERR_REGISTRY`; what becomes of it later
 * reaches nobody, but a watch that opens after all is closed.
 */
export function timed(registry: Registry): Registry {
  const within = async <T>(doing: string, call: () => Promise<T>): Promise<T> => {
    const answer = call();
    if (await before(backgroundClock, backgroundClock.now() + TIMEOUT_MS, answer)) return answer;
    throw new BrokerError("ERR_REGISTRY", `The registry ${registry.name} did not ${doing} within ${TIMEOUT_MS} ms.`);
  };
  const { secret } = registry;
  return {
    name: registry.name,
    sharedWithGoMicro: registry.sharedWithGoMicro,
    register: (service, options) => within("register", () => registry.register(service, options)),
    deregister: (service) => within("deregister", () => registry.deregister(service)),
    getService: (name) => within("answer", () => registry.getService(name)),
    listServices: () => within("answer", () => registry.listServices()),
    async watch(listener, options) {
      let late = false;
      const opening = registry.watch(listener, options).then((watcher) => {
        if (late) watcher.close();
        return watcher;
      });
      try {
        return await within("open a watch", () => opening);
      } catch (error) {
        late = true;
        throw error;
      }
    },
    ...(secret === undefined ? {} : { secret: () => within("tell its secret", () => secret.call(registry)) }),
  };
}

/**
 * Waits until a registry is left, for 2 s: it may hang.
 * @throws BrokerError `ERR_REGISTRY` when that takes longer; what `leaving` rejects with
 */
export async function leftInTime(leaving: Promise<void>): Promise<void> {
  if (await before(systemClock, systemClock.now() + LEAVE_WITHIN_MS, leaving)) return;
  throw new BrokerError("ERR_REGISTRY", `The registry did not deregister within ${LEAVE_WITHIN_MS} ms.`);
}
