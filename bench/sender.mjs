// The sending process of a contestant: started by `measure.mjs` with the name and, where there is one, the engine's URL; starts
// the receiving one.
import { Child } from "./child.mjs";
import { CONTESTANTS } from "./contestants.mjs";
import { usage } from "./usage.mjs";
import { latency, throughput } from "./workload.mjs";

const [name, ...engineUrl] = process.argv.slice(2);
const { inFlight, load } = CONTESTANTS[name];
let receiver;

process.on("disconnect", () => process.exit(1));
try {
  const { openSender, receive } = await load();
  const alone = { usage: async () => usage() };
  const meter = receive === undefined ? alone : await startReceiver();
  const contestant = { inFlight, ...meter, ...(await openSender(meter.ready, ...engineUrl)) };
  const work = {
    throughput: ({ bodyBytes, ms }) => throughput(contestant, bodyBytes, ms),
    latency: ({ bodyBytes, count, rate }) => latency(contestant, bodyBytes, count, rate),
  };
  process.on("message", ({ type, argument }) => {
    work[type](argument).then(
      (value) => process.send({ type, value }),
      (error) => process.send({ type: "failed", value: error.message }),
    );
  });
  process.send({ type: "ready" });
} catch (error) {
  await receiver?.stop();
  process.send({ type: "failed", value: error.message.split("\n")[0] });
}

async function startReceiver() {
  receiver = new Child("receiver.mjs", name, ...engineUrl);
  return {
    ready: await receiver.answer("ready"),
    /** Resolves when the receiver counts, with a promise of the arrival: in an object, so as not to wait for it. */
    async expect(count, measures) {
      const arrived = receiver.answer("arrived");
      await receiver.ask("expect", { count, measures });
      return { arrived };
    },
    latencies: () => receiver.ask("latencies"),
    /** Of both processes together. */
    async usage() {
      const [own, other] = [usage(), await receiver.ask("usage")];
      return { cpuMicros: own.cpuMicros + other.cpuMicros, peakBytes: own.peakBytes + other.peakBytes };
    },
  };
}
