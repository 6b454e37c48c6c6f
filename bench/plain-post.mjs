// What HTTP itself costs: a keep-alive POST loop from `node:http` to a bare server in another process.
import { Agent, request } from "node:http";
import { Remote } from "./remote.mjs";
import { IN_FLIGHT } from "./workload.mjs";

/** Opens the contestant: the baseline of the ratios. */
export async function openPlainPost() {
  const remote = new Remote();
  const port = await remote.start("plain-post");
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT, maxFreeSockets: IN_FLIGHT });
  const options = { agent, host: "127.0.0.1", port, method: "POST", path: "/" };
  return {
    name: "plain-post",
    messagesFactor: 1,
    expect: (count) => remote.expect(count),
    send: (body) =>
      new Promise((resolve, reject) => {
        const headers = { "content-length": body.length };
        const outgoing = request({ ...options, headers }, (response) => response.resume().on("end", resolve));
        outgoing.on("error", reject).end(body);
      }),
    latencies: () => remote.latencies(),
    async close() {
      agent.destroy();
      await remote.stop();
    },
  };
}
