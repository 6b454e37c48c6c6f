// npm run demo: builds if dist is missing or older than src, then runs the demo.
import { ensureBuilt } from "./ensure-built.mjs";

ensureBuilt();
const { runDemo } = await import("../demo/main.mjs");
process.exitCode = await runDemo(process.argv.slice(2), process.env);
