import { BrokerError } from "../errors.ts";
import { before } from "../internal/wait.ts";
import type { Registry } from "../registry.ts";
import { backgroundClock } from "./background-clock.ts";

/**
 * Any registry, with a limit to how long its answers are waited for: one that hangs, as a folder on a network that is gone does, must
 * hold up neither a subscribe nor a disconnect for ever. A call that takes longer rejects with `ERR_REGISTRY`; what becomes of it later
 * reaches nobody, but a watch that opens after all is closed.
 */
export function timed(registry: Registry, limitMs: number): Registry {
  const within = async <T>(doing: string, call: () => Promise<T>): Promise<T> => {
    const answer = call();
    if (await before(backgroundClock, backgroundClock.now() + limitMs, answer)) return answer;
    throw new BrokerError("ERR_REGISTRY", `The registry ${registry.name} did not ${doing} within ${limitMs} ms.`);
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
