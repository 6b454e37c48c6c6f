// npm run bench: builds if dist is missing or older than src, then runs the bench.
import { ensureBuilt } from "./ensure-built.mjs";

ensureBuilt();
const { runBench } = await import("../bench/main.mjs");
process.exitCode = await runBench(process.argv.slice(2));
