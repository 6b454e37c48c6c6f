// A receiving process of a contestant: started by `sender.mjs`.
import { CONTESTANTS } from "./contestants.mjs";
import { holdLive } from "./live-heap.mjs";
import { Meter } from "./meter.mjs";
import { fail, ready, serve } from "./serve.mjs";
import { usage } from "./usage.mjs";

const [name, ...engineUrl] = process.argv.slice(2);
const meter = new Meter();

holdLive();
serve({
  begin: (measures) => meter.begin(measures),
  handled: () => meter.handled,
  latencies: () => meter.latencies(),
  usage,
});
try {
  const { receive } = await CONTESTANTS[name].load();
  ready(await receive(meter, ...engineUrl));
} catch (error) {
  fail(error);
}
