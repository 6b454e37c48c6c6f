// npm run chaos: builds what is missing or older than its sources, then lets chaos loose on a broker.
import { ensureBuilt, ensureChaosBuilt } from "./ensure-built.mjs";

ensureBuilt();
ensureChaosBuilt();
const { runChaos } = await import("../.tmp/chaos/chaos/main.js");
process.exitCode = await runChaos(process.argv.slice(2));
