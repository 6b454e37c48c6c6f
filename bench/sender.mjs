// The sending process of a contestant: started by `measure.mjs` with the name and, where there is one, the engine's URL; starts
// the receiving ones.
import { CONTESTANTS } from "./contestants.mjs";
import { holdLive } from "./live-heap.mjs";
import { Receivers } from "./receivers.mjs";
import { fail, ready, serve } from "./serve.mjs";
import { usage } from "./usage.mjs";
import { latency, throughput } from "./workload.mjs";

const [name, ...engineUrl] = process.argv.slice(2);
const { load, receivers: count = 1, shared = false } = CONTESTANTS[name];
let receivers;

holdLive();
try {
  const { openSender, receive } = await load();
  if (receive !== undefined) receivers = new Receivers(count, shared, "receiver.mjs", name, ...engineUrl);
  const told = await receivers?.ready();
  const opened = await openSender(count === 1 ? told?.[0] : told, ...engineUrl);
  const contestant = { ...(receivers?.questions() ?? alone()), ...opened };
  serve({
    throughput: ({ bodyBytes, ms, inFlight }) =>
      (opened.throughput ?? throughput.bind(undefined, contestant))(bodyBytes, ms, inFlight),
    latency: ({ bodyBytes, messages, rate }) =>
      (opened.latency ?? latency.bind(undefined, contestant))(bodyBytes, messages, rate),
  });
  ready();
} catch (error) {
  await receivers?.stop();
  fail(error);
}

/** Who measures in this process. */
function alone() {
  return { usage: async () => usage() };
}
