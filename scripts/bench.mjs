// npm run bench: builds what is missing or older than its sources, then runs the bench. Its engines are started by the helpers
// of the tests, which are compiled with chaos.
import { ensureBuilt, ensureChaosBuilt } from "./ensure-built.mjs";

ensureBuilt();
ensureChaosBuilt();
const { runBench } = await import("../bench/main.mjs");
process.exitCode = await runBench(process.argv.slice(2));
