// The same POST loop with undici, the fastest client there is for Node: how far one POST per message can go.
import { Pool } from "undici";
import { Remote } from "./remote.mjs";
import { IN_FLIGHT } from "./workload.mjs";

/** Opens the contestant. */
export async function openUndiciPost() {
  const remote = new Remote();
  const port = await remote.start("plain-post");
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: IN_FLIGHT, pipelining: 1 });
  return {
    name: "undici-post",
    messagesFactor: 1,
    expect: (count) => remote.expect(count),
    async send(body) {
      const response = await pool.request({ path: "/", method: "POST", body });
      await response.body.dump();
    },
    latencies: () => remote.latencies(),
    async close() {
      await pool.destroy();
      await remote.stop();
    },
  };
}
