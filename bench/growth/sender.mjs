// The sending process of a point: started by `measure.mjs` with the broker, the curve, the point and, where there is one, the
// engine's URL; starts the receiving ones, or receives itself where the broker has one process only.
import { Meter } from "../meter.mjs";
import { Receivers } from "../receivers.mjs";
import { fail, ready, serve } from "../serve.mjs";
import { usage } from "../usage.mjs";
import { arrivalOf, longEnough, measured, sendAll, windowOf } from "../workload.mjs";
import { workOf } from "./curves.mjs";
import { openBroker } from "./open.mjs";
import { subscribeAll } from "./subscribed.mjs";

/** What a point does before it is measured, for each millisecond of a run: so many deliveries, or bytes of bodies. */
const [WARM_UP_DELIVERIES, WARM_UP_BYTES] = [200, 256 * 1024];

/** How often a member comes in a warm-up, at most. */
const MOST_COMINGS = 100;

const [name, curve, point, url] = process.argv.slice(2);
const work = workOf(curve, Number(point));
const { bodyBytes, deliveries, processes, topic, waiting } = work;
const inFlight = windowOf(work.inFlight, bodyBytes);
let receivers;

try {
  const broker = await openBroker(name, url);
  const receiving = name === "memory" ? await receivingHere(broker) : await receivingElsewhere();
  if (waiting > 0) for (const [pattern, { queue }] of work.subscriptions) await broker.createQueue(pattern, queue);
  const body = Buffer.alloc(bodyBytes, 1);
  const publish = (n) => broker.publish(topic(n), { body });
  const contestant = {
    ...receiving,
    // Each delivery counts where a message has several, and every process has the same.
    handled: async () => Math.floor(((await receiving.handled()) * processes) / deliveries),
  };
  // What was long enough in one round is so in the next.
  let trial = waiting > 0 ? 1 : inFlight;
  serve({
    warmUp: (ms) => (waiting > 0 ? late(Math.min(MOST_COMINGS, warmUpRuns(ms))) : steady(warmUpRuns(ms))),
    async run(ms) {
      const result = await longEnough(waiting > 0 ? late : steady, ms, trial);
      trial = result.count;
      const delivered = result.count * deliveries * Math.max(1, waiting);
      return {
        throughput: (delivered * 1_000) / result.tookMs,
        cpu: result.cpuMicros / delivered,
        peakBytes: result.peakBytes,
      };
    },
  });
  ready();

  /** Messages, or comings of a member, until the compiler has seen enough. */
  function warmUpRuns(ms) {
    const messages = ms * Math.min(WARM_UP_DELIVERIES / deliveries, WARM_UP_BYTES / bodyBytes);
    return Math.ceil(messages / Math.max(1, waiting));
  }

  /** Messages to those who are there. */
  function steady(count) {
    return measured(contestant, count, () => sendAll(publish, count, inFlight));
  }

  /** So many times: messages that wait, a member that comes and handles them all, and leaves. */
  function late(times) {
    return measured(contestant, times * waiting, async () => {
      for (let time = 1; time <= times; time += 1) {
        await sendAll(publish, waiting, inFlight);
        await receiving.come();
        await arrivalOf(contestant, time * waiting);
        await receiving.leave();
      }
    });
  }

  async function receivingHere() {
    const meter = new Meter();
    let end = () => {};
    const come = async () => {
      end = await subscribeAll(broker, work, meter);
    };
    if (waiting === 0) await come();
    return {
      begin: async (measures) => meter.begin(measures),
      handled: async () => meter.handled,
      usage: async () => usage(),
      come,
      leave: () => end(),
    };
  }
} catch (error) {
  await receivers?.stop();
  fail(error);
}

async function receivingElsewhere() {
  const args = [name, curve, point, ...(url === undefined ? [] : [url])];
  receivers = new Receivers(processes, false, "growth/receiver.mjs", ...args);
  await receivers.ready();
  return {
    begin: (measures) => receivers.begin(measures),
    handled: () => receivers.handled(),
    usage: () => receivers.usage(),
    come: () => receivers.ask("come"),
    leave: () => receivers.ask("leave"),
  };
}
