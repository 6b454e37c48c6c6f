// What HTTP itself costs: a bare `node:http` server, and a POST for each message from undici, the fastest client for Node.
import { createServer } from "node:http";
import { Pool } from "undici";
import { CONTESTANTS } from "../contestants.mjs";

/** The receiving process; tells its port. */
export async function receive(meter) {
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

/** The sending process. */
export async function openSender(port) {
  const connections = CONTESTANTS["undici-post"].inFlight;
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections, pipelining: 1 });
  return {
    async send(body) {
      const response = await pool.request({ path: "/", method: "POST", body });
      await response.body.dump();
    },
  };
}
