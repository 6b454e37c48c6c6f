// The sending process of a point: started by `measure.mjs` with the broker, the curve, the point and, where there is one, the
// engine's URL; starts the receiving ones, or receives itself where the broker has one process only.
import { Receivers } from "../receivers.mjs";
import { fail, ready, serve } from "../serve.mjs";
import { arrivalOf, longEnough, measured, sendAll, windowOf } from "../workload.mjs";
import { workOf } from "./curves.mjs";
import { openBroker } from "./open.mjs";
import { openReceiving } from "./receiving.mjs";

/** What a point does before it is measured, for each millisecond of a run: so many deliveries, or bytes of bodies. */
const [WARM_UP_DELIVERIES, WARM_UP_BYTES] = [200, 256 * 1024];

/** How often a member comes in a warm-up, at most. */
const MOST_COMINGS = 100;

const [name, curve, point, url] = process.argv.slice(2);
const work = workOf(curve, Number(point));
const { bodyBytes, deliveries, processes, subscriptions, topic, waiting } = work;
const inFlight = windowOf(work.inFlight, bodyBytes);
const body = Buffer.alloc(bodyBytes, 1);
let receivers;

try {
  const broker = await openBroker(name, url);
  const receiving = name === "memory" ? await openReceiving(broker, work) : await startReceivers();
  const contestant = {
    ...receiving,
    // Each delivery counts where a message has several, and every process has the same.
    handled: async () => Math.floor(((await receiving.handled()) * processes) / deliveries),
  };
  const publish = (n) => broker.publish(topic(n), { body });
  if (waiting > 0) for (const [pattern, { queue }] of subscriptions) await broker.createQueue(pattern, queue);
  const run = waiting > 0 ? late(contestant, publish) : steady(contestant, publish);
  // What was long enough in one round is so in the next.
  let count = waiting > 0 ? 1 : inFlight;
  serve({
    warmUp: (ms) => run(warmUpRuns(ms)),
    async run(ms) {
      const result = await longEnough(run, ms, count);
      count = result.count;
      const delivered = count * deliveries * Math.max(1, waiting);
      return {
        throughput: (delivered * 1_000) / result.tookMs,
        cpu: result.cpuMicros / delivered,
        peakBytes: result.peakBytes,
      };
    },
  });
  ready();
} catch (error) {
  await receivers?.stop();
  fail(error);
}

/** So many messages to those who are there. */
function steady(contestant, publish) {
  return (count) => measured(contestant, count, () => sendAll(publish, count, inFlight));
}

/** So many times: messages that wait, a member that comes and handles them all, and leaves. */
function late(contestant, publish) {
  return (times) =>
    measured(contestant, times * waiting, async () => {
      for (let time = 1; time <= times; time += 1) {
        await sendAll(publish, waiting, inFlight);
        await contestant.come();
        await arrivalOf(contestant, time * waiting);
        await contestant.leave();
      }
    });
}

/** Messages, or comings of a member, until the compiler has seen enough. */
function warmUpRuns(ms) {
  const messages = ms * Math.min(WARM_UP_DELIVERIES / deliveries, WARM_UP_BYTES / bodyBytes);
  return waiting > 0 ? Math.ceil(Math.min(MOST_COMINGS, messages / waiting)) : Math.ceil(messages);
}

async function startReceivers() {
  const args = [name, curve, point, ...(url === undefined ? [] : [url])];
  receivers = new Receivers(processes, false, "growth/receiver.mjs", ...args);
  await receivers.ready();
  return {
    ...receivers.questions(),
    come: () => receivers.ask("come"),
    leave: () => receivers.ask("leave"),
  };
}
