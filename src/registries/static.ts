import type { Registry, Service } from "../registry.ts";
import { RecordTable } from "./record-table.ts";

/**
 * A registry with a fixed list of services, for peers whose addresses are known beforehand. The list never expires and
 * cannot be deregistered. What is registered beside it is seen by this process only, for its TTL, so that a broker can
 * register itself; a record with the id of a fixed node stands in for that node meanwhile.
 * Throws `ERR_REGISTRY` (not retryable) for a malformed list, or a service without nodes. Named so because `static` is a reserved word.
 */
export function staticRegistry(services: readonly Service[]): Registry {
  const table = new RecordTable(services);
  return {
    name: "static",
    sharedWithGoMicro: false,
    async register(service, options) {
      table.put(service, options);
    },
    async deregister(service) {
      table.remove(service);
    },
    async getService(name) {
      return table.get(name);
    },
    async listServices() {
      return table.list();
    },
    async watch(listener, options) {
      return table.watch(listener, options?.service);
    },
  };
}
