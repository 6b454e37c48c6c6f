import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { local } from "../../src/registries/local/index.ts";
import type { Registry } from "../../src/registry.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { ownFolder, RunningProgram } from "../cli/tidings-process.ts";

/** Where the services of one test meet. */
export interface Place {
  readonly folder: string;
  /** The registry there, opened in this process. */
  readonly registry: Registry;
  /** Starts a program of the folder `fixtures`; it is killed when the test ends. */
  start(fixture: string, args?: readonly string[], env?: Readonly<Record<string, string>>): RunningProgram;
}

/** Makes a place that is gone when the test has ended, with the programs that were started there. */
export function newPlace(): Place {
  const folder = ownFolder();
  const programs: RunningProgram[] = [];
  onTestFinished(async () => {
    for (const { child } of programs) child.kill("SIGKILL");
    await Promise.all(programs.map(({ ended }) => ended));
    folder.remove();
  });
  return {
    folder: folder.path,
    registry: local({ folder: folder.path }),
    start: (fixture, args = [], env = {}) => {
      const path = fileURLToPath(new URL(`./fixtures/${fixture}`, import.meta.url));
      const program = new RunningProgram(process.execPath, [path, ...args], { ...folder.env, ...env });
      programs.push(program);
      return program;
    },
  };
}

/** The ids with which a worker has told an event. */
export function told(program: RunningProgram, event: string): (number | undefined)[] {
  return program.out
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { event: string; id?: number })
    .filter((line) => line.event === event)
    .map(({ id }) => id);
}

/** Waits until a worker has told an event, of one id or of any. */
export async function tells(program: RunningProgram, event: string, id?: number): Promise<void> {
  const detail = () => `status ${program.child.exitCode}\n${program.out.slice(-2_000)}\n${program.err}`;
  await until(() => told(program, event).some((one) => id === undefined || one === id), {
    what: `it has told ${event} ${id ?? ""}`.trimEnd(),
    detail,
  });
}
