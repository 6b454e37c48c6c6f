import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { BrokerError } from "tidings";
import { jsonLine, visible } from "../src/cli/escape.ts";
import { errorLine, exitStatus } from "../src/cli/report-error.ts";
import { stopSignal } from "../src/cli/stop-signal.ts";
import { guard } from "../test/support/engines/guardian.ts";
import { type ChaosOptions, readArguments, USAGE } from "./arguments.ts";
import { ProgressBar } from "./progress-bar.ts";
import { type ChaosReport, printReport } from "./report.ts";
import { checkRig, openRig } from "./rigs/open-rig.ts";
import { ChaosRun } from "./run.ts";

const REGISTRY_VARIABLE = "TIDINGS_LOCAL_REGISTRY_FOLDER";

/** Runs chaos with these flags; resolves with the exit status. */
export async function runChaos(args: readonly string[]): Promise<number> {
  try {
    const options = readArguments(args, randomBytes(4).readUInt32BE());
    if (options === "help") {
      process.stdout.write(`${USAGE}\n`);
      return 0;
    }
    const report = await run(options);
    process.stdout.write(`${options.json ? jsonLine(report) : printReport(report)}\n`);
    if (!report.ok && options.journals === undefined)
      process.stderr.write("with --journals FOLDER what the processes wrote down is kept\n");
    return report.ok ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${errorLine(error)}\n`);
    return exitStatus(error);
  }
}

async function run(options: ChaosOptions): Promise<ChaosReport> {
  const journals = options.journals === undefined ? undefined : emptyFolder(options.journals);
  const stop = stopSignal();
  const folder = mkdtempSync(join(tmpdir(), "tidings-chaos-"));
  // Whatever becomes of this process, its processes and its folder end with it, also those that are paused.
  const guardian = guard(folder);
  // Nobody else's processes take part.
  process.env[REGISTRY_VARIABLE] = join(folder, "registry");
  const progress = new ProgressBar(process.stderr);
  try {
    const rig = await openRig(options);
    try {
      await checkRig(rig, options.storage ? join(folder, "check") : undefined);
      const folders = {
        journals: journals ?? emptyFolder(join(folder, "journals")),
        storage: options.storage ? emptyFolder(join(folder, "storage")) : undefined,
      };
      process.stderr.write(`${opening(options, rig.broker)}\n`);
      stop.addEventListener("abort", () => {
        progress.clear();
        process.stderr.write("ending early: what was promised is still to come; Ctrl-C again stops at once\n");
      });
      return await new ChaosRun(options, rig, folders, guardian, progress).run(stop);
    } finally {
      progress.clear();
      await rig.close();
    }
  } finally {
    await guardian.finish();
  }
}

function opening(options: ChaosOptions, broker: string): string {
  const { seed, seconds, publishers, members, queues, broadcast, rate } = options;
  const who = `${publishers} publishing, ${members} in ${queues} queues, ${broadcast} without a queue`;
  return visible(`chaos on ${broker}, seed ${seed}, ${seconds} s: ${who}; ${rate} messages a second`);
}

/** Makes a folder, or takes one that is there and empty. @throws BrokerError `ERR_INVALID_OPTION` where it is not */
function emptyFolder(path: string): string {
  const folder = resolve(path);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `--journals takes a folder that is empty or not there yet, not ${folder}.`,
    );
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}
