import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { SERVICE_NAMES } from "../../../src/drivers/http/service-names.ts";
import { memory } from "../../../src/registries/memory.ts";
import type { Registry } from "../../../src/registry.ts";
import { until } from "../../../src/testing/conformance/until.ts";
import { bareServer } from "../support/bare-server.ts";
import { openBroker } from "../support/brokers.ts";

test("one that is still not trusted with a secret that was made anew dials again no sooner for it", async () => {
  const peer = await bareServer(() => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
  let secret = randomBytes(32);
  let asked = 0;
  const registry: Registry = {
    ...memory(),
    async secret() {
      asked += 1;
      return secret;
    },
  };
  await openBroker(registry);
  const before = asked;
  secret = randomBytes(32);
  const nodes = [{ id: "stranger", address: peer.address, metadata: {} }];
  await registry.register({ name: SERVICE_NAMES.peers, version: "1", metadata: {}, endpoints: [], nodes });
  await until(() => asked > before, { what: "the registry was asked for its secret again" });
  await until(() => peer.requests.length >= 2, { what: "it was tried with that" });
  // For longer than the secret that was read then is believed to be the newest, and less than the pause.
  await setTimeout(1_500);
  expect(peer.requests).toHaveLength(2);
});
