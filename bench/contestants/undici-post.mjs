// What HTTP itself costs: a bare `node:http` server, and a POST for each message from undici, the fastest client for Node.
import { createServer } from "node:http";
import { Pool } from "undici";

/** Connections to each receiving process. */
const CONNECTIONS = 64;

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
  return { send: postTo(port) };
}

/** The same with several receiving processes: a POST to each of them. */
export const toEach = {
  receive,
  async openSender(ports) {
    const posts = ports.map(postTo);
    return { send: (body) => Promise.all(posts.map((post) => post(body))) };
  },
};

/** The same with several receiving processes that take turns. */
export const inTurn = {
  receive,
  async openSender(ports) {
    const posts = ports.map(postTo);
    let sent = 0;
    return {
      send(body) {
        sent += 1;
        return posts[sent % posts.length](body);
      },
    };
  },
};

function postTo(port) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS, pipelining: 1 });
  return async (body) => {
    const response = await pool.request({ path: "/", method: "POST", body });
    await response.body.dump();
  };
}
