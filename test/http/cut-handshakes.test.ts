import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { peerRecord } from "../../src/drivers/http/records.ts";
import { memory } from "../../src/registries/memory.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { bareServer } from "./support/bare-server.ts";
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

test("a process that disconnects, and says so to those that dial it meanwhile, is told of to nobody", async () => {
  const reason = JSON.stringify({ reason: "the broker is disconnecting" });
  const head = `HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: ${reason.length}\r\n\r\n`;
  const leaving = await bareServer((_head, _body, socket) => {
    socket.end(head + reason);
    return undefined;
  });
  const registry = memory();
  const record = peerRecord("11111111-1111-4111-8111-111111111111", leaving.address);
  await registry.register(record);
  const { broker, errors } = await openBroker(registry);
  await until(() => leaving.requests.length >= 3, { what: "it was dialled again" });
  await registry.deregister(record);
  await broker.disconnect();
  expect(errors).toEqual([]);
});
