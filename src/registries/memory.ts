import { randomBytes } from "node:crypto";
import type { Registry } from "../registry.ts";
import { RecordTable } from "./record-table.ts";

/**
 * A registry in the memory of this process. It is private: brokers find each other through it when they are given the
 * same object. Records hold for their TTL; `standing` changes nothing, since nothing outlives the process.
 * Its secret is random and never leaves the process, so that nobody else on the host can deliver to its brokers.
 * Changes are told before `register` and `deregister` resolve.
 */
export function memory(): Registry {
  const table = new RecordTable();
  const secret = randomBytes(32);
  return {
    name: "memory",
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
    async secret() {
      return secret;
    },
  };
}
