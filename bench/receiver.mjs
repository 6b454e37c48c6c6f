// The receiving process of a contestant: started by `remote.mjs`, which it talks to over IPC.
import { createServer } from "node:http";
import { createBroker } from "tidings";
import { Meter } from "./meter.mjs";
import { IN_FLIGHT } from "./workload.mjs";

const meter = new Meter();
const receivers = { http: receiveFromBroker, "plain-post": receivePosts };

process.on("disconnect", () => process.exit(1));
process.on("message", ({ type, count }) => {
  if (type === "latencies") process.send({ type: "latencies", value: meter.latencies() });
  if (type !== "expect") return;
  void meter.expect(count).then(() => process.send({ type: "arrived" }));
  process.send({ type: "expecting" });
});
process.send({ type: "ready", value: await receivers[process.argv[2]]() });

async function receiveFromBroker() {
  const broker = createBroker("http://127.0.0.1:0");
  await broker.connect();
  await broker.subscribe("bench", (delivery) => meter.received(delivery.message.body), { concurrency: IN_FLIGHT });
}

async function receivePosts() {
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      meter.received(Buffer.concat(chunks));
      response.end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}
