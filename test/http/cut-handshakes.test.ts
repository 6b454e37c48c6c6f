import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { peerRecord } from "../../src/drivers/http/records.ts";
import { memory } from "../../src/registries/memory.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker } from "./support/brokers.ts";

test("a process that cuts every connection, as one that has no more files to open, is told of once", async () => {
  let cuts = 0;
  const server = createServer((socket) => {
    cuts += 1;
    socket.destroy();
  });
  onTestFinished(() => {
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const registry = memory();
  await registry.register(peerRecord("11111111-1111-4111-8111-111111111111", `127.0.0.1:${port}`));
  const { errors } = await openBroker(registry);
  await until(() => errors.length > 0, { what: "it was reported" });
  const before = cuts;
  await until(() => cuts > before + 1, { what: "it was tried again" });
  expect(errors.map(({ code, message }) => [code, message.includes(`127.0.0.1:${port}`)])).toEqual([
    ["ERR_CONNECTION_LOST", true],
  ]);
});
