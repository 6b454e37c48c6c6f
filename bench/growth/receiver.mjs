// A receiving process of a point: started by `sender.mjs`.
import { Meter } from "../meter.mjs";
import { fail, ready, serve } from "../serve.mjs";
import { usage } from "../usage.mjs";
import { workOf } from "./curves.mjs";
import { openBroker } from "./open.mjs";
import { subscribeAll } from "./subscribed.mjs";

const [name, curve, point, url] = process.argv.slice(2);
const meter = new Meter();
const work = workOf(curve, Number(point));

try {
  const broker = await openBroker(name, url);
  let leave = () => {};
  const come = async () => {
    leave = await subscribeAll(broker, work, meter);
  };
  if (work.waiting === 0) await come();
  serve({
    begin: (measures) => meter.begin(measures),
    handled: () => meter.handled,
    usage,
    come,
    leave: async () => {
      await leave();
    },
  });
  ready();
} catch (error) {
  fail(error);
}
