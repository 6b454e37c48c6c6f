// A go-micro sender over HTTP looks for subscribers for 100 ms, once, and keeps what it found for a minute: on a busy machine
// some of them, or none, and then it sends to nobody else whatever happens. So what it knows is tried before it is relied upon.
import { until } from "./wait.mjs";

/** What is sent to try it, by level: like nothing that is counted. */
export const WARM_UPS = {
  broker: Buffer.from("warm-up"),
  json: { id: -1, text: "warm-up", data: "" },
  protobuf: "warm-up",
};

/** How many are sent: so many that each member of a queue is chosen for one. */
const TIMES = 20;

/** How many senders are tried, and how long the messages of each may take, in milliseconds. */
const TRIES = 10;
const ARRIVAL_MS = 3_000;

/**
 * Starts senders until one knows of every receiver, and resolves with what sends from it.
 * @param start starts one: the `peer`, what sends warm-ups (`warmUp`) and the rest (`send`), and whether all were reached (`found`)
 */
export async function untilFound(start) {
  for (let attempt = 1; ; attempt += 1) {
    const { peer, warmUp, found, send } = await start();
    await warmUp(TIMES);
    try {
      await until(found, `go-micro found every subscriber, by the last of ${TRIES} senders`, ARRIVAL_MS);
      return send;
    } catch (error) {
      if (attempt === TRIES) throw error;
    }
    await peer.end();
  }
}
