// The demo: one publisher and three subscribers, each a process of its own, on the broker of your choice.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BrokerError, createService } from "tidings";
import { exitStatus, reportError } from "../dist/cli/report-error.js";
import { readArguments, USAGE } from "./arguments.mjs";
import { Supervisor } from "./supervisor.mjs";

const FOLDER_VARIABLE = "TIDINGS_LOCAL_REGISTRY_FOLDER";

/** Runs the demo; resolves with the exit status. */
export async function runDemo(args, env) {
  try {
    const { help, messages, flags } = readArguments(args);
    if (help) {
      console.log(USAGE);
      return 0;
    }
    await checkBroker(flags, env);
    const run = (runEnv) => new Supervisor(messages, flags, runEnv).run();
    return (await (messages === undefined ? run(env) : alone(env, run))) ? 0 : 1;
  } catch (error) {
    reportError(error, { stderr: process.stderr, env });
    return exitStatus(error);
  }
}

/** Tells at once, and once, what each of the programs would run into. */
async function checkBroker(flags, env) {
  const broker = await brokerOf(flags, env);
  const another = await brokerOf(flags, env);
  try {
    await broker.connect();
    if (!broker.capabilities.processes) {
      throw new BrokerError(
        "ERR_UNSUPPORTED",
        `The demo's programs are processes of their own, and the ${broker.name} broker works within one process only. Try --broker http.`,
      );
    }
    await another.connect().catch((error) => {
      if (error.code !== "ERR_ADDRESS_IN_USE") throw error;
      throw new BrokerError(
        "ERR_INVALID_OPTION",
        `Each process of the ${broker.name} broker listens at an address of its own: leave the port out, or give port 0.`,
      );
    });
  } finally {
    await Promise.all([broker.disconnect(), another.disconnect()]);
  }
}

/** The broker that the flags and the environment stand for, as any service finds it. */
async function brokerOf(flags, env) {
  const service = createService({ name: "example.check" });
  await service.init(flags, env);
  return service.broker;
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
