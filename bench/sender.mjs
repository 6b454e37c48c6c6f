// The sending process of a contestant: started by `main.mjs`, and starts the receiving one.
import { Child } from "./child.mjs";
import { CONTESTANTS } from "./contestants.mjs";
import { latency, throughput } from "./workload.mjs";

const { inFlight, load } = CONTESTANTS[process.argv[2]];
let receiver;

process.on("disconnect", () => process.exit(1));
try {
  const { openSender, receive } = await load();
  const meter = receive === undefined ? undefined : await startReceiver();
  const contestant = { inFlight, ...(await openSender(meter?.ready)), ...meter };
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
  receiver = new Child("receiver.mjs", process.argv[2]);
  return {
    ready: await receiver.answer("ready"),
    /** Resolves when the receiver counts, with a promise of the arrival: in an object, so as not to wait for it. */
    async expect(count, measures) {
      const arrived = receiver.answer("arrived");
      await receiver.ask("expect", { count, measures });
      return { arrived };
    },
    latencies: () => receiver.ask("latencies"),
  };
}
