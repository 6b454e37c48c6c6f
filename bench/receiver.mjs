// The receiving process of a contestant: started by `sender.mjs`.
import { CONTESTANTS } from "./contestants.mjs";
import { Meter } from "./meter.mjs";
import { usage } from "./usage.mjs";

const [name, ...engineUrl] = process.argv.slice(2);
const meter = new Meter();
const answers = { latencies: () => meter.latencies(), usage };

process.on("disconnect", () => process.exit(1));
process.on("message", ({ type, argument }) => {
  if (type in answers) process.send({ type, value: answers[type]() });
  if (type !== "expect") return;
  void meter.expect(argument.count, argument.measures).then(() => process.send({ type: "arrived" }));
  process.send({ type });
});
try {
  const { receive } = await CONTESTANTS[name].load();
  process.send({ type: "ready", value: await receive(meter, ...engineUrl) });
} catch (error) {
  process.send({ type: "failed", value: error.message.split("\n")[0] });
}
