// The HTTP broker: publisher here, subscriber in another process.
import { createBroker } from "tidings";
import { Remote } from "./remote.mjs";

/** Opens the contestant. */
export async function openHttp() {
  const remote = new Remote();
  await remote.start("http");
  const broker = createBroker("http://127.0.0.1:0");
  await broker.connect();
  return {
    name: "http",
    messagesFactor: 1,
    expect: (count) => remote.expect(count),
    send: (body) => broker.publish("bench", { body }),
    latencies: () => remote.latencies(),
    async close() {
      await broker.disconnect();
      await remote.stop();
    },
  };
}
