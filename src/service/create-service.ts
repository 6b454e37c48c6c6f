import { Service } from "./service.ts";
import type { ServiceOptions } from "./service-options.ts";

/**
 * Makes a service; `init` it to let environment and flags have their say, subscribe, then `start` or `run` it.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function createService(options: ServiceOptions): Service {
  return new Service(options);
}
