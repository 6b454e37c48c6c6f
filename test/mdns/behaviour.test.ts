import { randomUUID } from "node:crypto";
import { onTestFinished } from "vitest";
import { mdns } from "../../src/registries/mdns/index.ts";
import type { Registry } from "../../src/registry.ts";
import { registryBehaviour } from "../unit/registries/behaviour.ts";

// What one registers, the other sees. By loopback, and in a domain of its own: nothing leaves this host, and nobody else hears it.
function pair(): Registry {
  // Nobody who answers late is found: on a loaded machine everybody needs longer than the default.
  const options = { interfaces: ["127.0.0.1"], domain: `tidings-${randomUUID()}`, lookupMs: 600 };
  const here = mdns(options);
  const there = mdns(options);
  onTestFinished(async () => {
    for (const service of await here.listServices()) await here.deregister(service);
  });
  return {
    name: here.name,
    sharedWithGoMicro: here.sharedWithGoMicro,
    register: (...args) => here.register(...args),
    deregister: (...args) => here.deregister(...args),
    getService: (...args) => there.getService(...args),
    listServices: () => there.listServices(),
    watch: (...args) => there.watch(...args),
  };
}

registryBehaviour("mdns, of another process", async () => pair());
