// The demo: one publisher and three subscribers, each a process of its own, on the broker of your choice.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokerError, createBroker } from "tidings";
import { errorLine, exitStatus } from "../dist/cli/report-error.js";
import { readArguments, USAGE } from "./arguments.mjs";
import { Supervisor } from "./supervisor.mjs";

const FOLDER_VARIABLE = "TIDINGS_LOCAL_REGISTRY_FOLDER";

/** Runs the demo; resolves with the exit status. */
export async function runDemo(args, env) {
  try {
    const { help, messages, broker } = readArguments(args, env);
    if (help) {
      console.log(USAGE);
      return 0;
    }
    await checkBroker(broker);
    const ownEnv = broker === undefined ? env : { ...env, TIDINGS_BROKER: broker };
    const run = (runEnv) => new Supervisor(messages, runEnv).run();
    return (await (messages === undefined ? run(ownEnv) : alone(ownEnv, run))) ? 0 : 1;
  } catch (error) {
    console.error(errorLine(error));
    return exitStatus(error);
  }
}

/** Tells at once, and once, what each of the programs would run into. */
async function checkBroker(url) {
  const broker = createBroker(url);
  await broker.connect();
  const { name, capabilities } = broker;
  await broker.disconnect();
  if (capabilities.processes) return;
  throw new BrokerError(
    "ERR_UNSUPPORTED",
    `The demo's programs are processes of their own, and the ${name} broker works within one process only. Try --broker http.`,
  );
}

/** A counted run meets nobody but its own programs: other subscribers would take their share of the queue. */
async function alone(env, run) {
  if (env[FOLDER_VARIABLE]) return run(env);
  const folder = mkdtempSync(join(tmpdir(), "tidings-demo-"));
  try {
    return await run({ ...env, [FOLDER_VARIABLE]: folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
