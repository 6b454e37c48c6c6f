import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Broker } from "../../../src/broker.ts";
import { createBroker } from "../../../src/create-broker.ts";
import type { BrokerOptions, GivenUp } from "../../../src/driver.ts";
import { type HttpOptions, http } from "../../../src/drivers/http/index.ts";
import { SERVICE_NAMES } from "../../../src/drivers/http/service-names.ts";
import type { BrokerError } from "../../../src/errors.ts";
import { local } from "../../../src/registries/local/index.ts";
import type { Node, Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";

/** A broker of a test, with what it reported. */
export interface OpenBroker {
  readonly broker: Broker;
  readonly errors: BrokerError[];
  readonly givenUp: GivenUp[];
}

/** A path for a registry folder of this test alone; the folder is removed after it. */
export async function registryFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "tidings-http-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  return join(parent, "registry");
}

/** Connects a broker that finds its peers in `where`, and disconnects it when the test ends. */
export async function openBroker(
  where: string | Registry,
  own: HttpOptions = {},
  options: BrokerOptions = {},
): Promise<OpenBroker> {
  const errors: BrokerError[] = [];
  const givenUp: GivenUp[] = [];
  const registry = typeof where === "string" ? local({ folder: where }) : where;
  const note = (context: object, _message: string) => {
    if ("reason" in context) givenUp.push(context as GivenUp);
  };
  const quiet = { debug: note, info: note, warn: note, error: note };
  const broker = createBroker(http({ registry, ...own }), {
    drainTimeoutMs: 2_000,
    onError: (error) => errors.push(error),
    logger: quiet,
    ...options,
  });
  onTestFinished(() =>
    broker.disconnect().catch((error: BrokerError) => {
      // What a test leaves in the outbox on purpose is no failure of it.
      if (error.code !== "ERR_UNDELIVERED") throw error;
    }),
  );
  await broker.connect();
  return { broker, errors, givenUp };
}

/** The subscription nodes that go-micro peers find in the registry, under the name that they look for. */
export async function subscriptionNodes(registry: Registry, name: string = SERVICE_NAMES.goMicro): Promise<Node[]> {
  return (await registry.getService(name)).flatMap(({ nodes }) => nodes);
}

/** Waits until the registry names exactly one subscription for go-micro peers, and returns its node. */
export async function theNode(registry: Registry, name?: string): Promise<Node> {
  const nodes = await until(
    async () => {
      const found = await subscriptionNodes(registry, name);
      return found.length === 1 ? found : undefined;
    },
    { what: "the registry named one subscription" },
  );
  return nodes[0] as Node;
}
