// A receiving process of a point: started by `sender.mjs`.
import { fail, ready, serve } from "../serve.mjs";
import { workOf } from "./curves.mjs";
import { openBroker } from "./open.mjs";
import { openReceiving } from "./receiving.mjs";

const [name, curve, point, url] = process.argv.slice(2);

try {
  serve(await openReceiving(await openBroker(name, url), workOf(curve, Number(point))));
  ready();
} catch (error) {
  fail(error);
}
