// The receiving process of a contestant: started by `sender.mjs`.
import { CONTESTANTS } from "./contestants.mjs";
import { Meter } from "./meter.mjs";

const meter = new Meter();

process.on("disconnect", () => process.exit(1));
process.on("message", ({ type, argument }) => {
  if (type === "latencies") process.send({ type, value: meter.latencies() });
  if (type !== "expect") return;
  void meter.expect(argument.count, argument.measures).then(() => process.send({ type: "arrived" }));
  process.send({ type });
});
try {
  const { receive } = await CONTESTANTS[process.argv[2]].load();
  process.send({ type: "ready", value: await receive(meter) });
} catch (error) {
  process.send({ type: "failed", value: error.message.split("\n")[0] });
}
