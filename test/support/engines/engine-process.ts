import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Guardian } from "./guardian.ts";

const START_DEADLINE_MS = 90_000;
const STOP_DEADLINE_MS = 30_000;
const FREEZE_DEADLINE_MS = 2_000;
const PROBE_INTERVAL_MS = 25;
const TAIL_CHARACTERS = 4_000;

/** How an engine is started, and how to tell that it is up. */
export interface EngineProgram {
  /** For error messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The engine's private folder. It has the log, and is where the program starts. */
  readonly folder: string;
  /** Talks to the engine in its own protocol. @throws while it is not up. */
  probe(signal: AbortSignal): Promise<void>;
}

/** The process of an engine, over all its restarts. */
export interface EngineProcess {
  /** Starts it. Resolves when the probe passes. @throws with the end of its log when it ends before or takes too long. */
  start(): Promise<void>;
  /** Ends it with SIGTERM and waits for its end; too slow an end becomes SIGKILL. */
  shutDown(): Promise<void>;
  /** Ends it with SIGKILL and waits for its end. */
  kill(): Promise<void>;
  /** Sends a signal to the running process. @throws when none runs. */
  signal(name: NodeJS.Signals): void;
  /** Stops the running process; when it returns, none of its threads runs. @throws when none runs. */
  freeze(): void;
  log(): string;
}

/** Makes the process of an engine; `start` starts it. */
export function engineProcess(program: EngineProgram, guardian: Guardian): EngineProcess {
  const logFile = join(program.folder, "engine.log");
  let running: ChildProcess | undefined;
  let lastLog = "";

  const log = (): string => {
    // The folder goes with the engine; what it said stays.
    if (existsSync(logFile)) lastLog = readFileSync(logFile, "utf8");
    return lastLog;
  };

  const end = async (how: NodeJS.Signals): Promise<void> => {
    const child = running;
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.ref();
    child.kill(how);
    // A paused process takes no other signal than SIGKILL before it runs on.
    if (how !== "SIGKILL") child.kill("SIGCONT");
    const late = AbortSignal.timeout(STOP_DEADLINE_MS);
    late.addEventListener("abort", () => child.kill("SIGKILL"));
    await ended;
  };

  const signal = (name: NodeJS.Signals): void => {
    if (running?.kill(name) !== true) throw new Error(`${program.name} is not running`);
  };

  return {
    async start() {
      if (running !== undefined) throw new Error(`${program.name} is already running`);
      const output = openSync(logFile, "a");
      const child = spawn(program.command, program.args, {
        cwd: program.folder,
        env: program.env,
        // A group of its own: an interrupt at the terminal is the test process's to handle.
        detached: true,
        stdio: ["ignore", output, output],
      });
      closeSync(output);
      const dead = new AbortController();
      child.once("error", (error) => dead.abort(error));
      child.once("exit", (code, signal) => {
        running = undefined;
        dead.abort(new Error(`it ended with ${signal ?? `status ${code}`}`));
      });
      if (child.pid !== undefined) {
        running = child;
        guardian.watch(child);
        child.unref();
      }
      try {
        await untilUp(program, dead.signal);
      } catch (cause) {
        await end("SIGKILL");
        throw new Error(`${program.name} did not start; its log ends with:\n${log().slice(-TAIL_CHARACTERS)}`, {
          cause,
        });
      }
    },
    shutDown: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    signal,
    freeze() {
      signal("SIGSTOP");
      const deadline = performance.now() + FREEZE_DEADLINE_MS;
      // A thread on another core may run on for a moment, and still answer.
      while (running?.pid !== undefined && !isFrozen(running.pid))
        if (performance.now() > deadline) throw new Error(`${program.name} does not stop`);
    },
    log,
  };
}

/** Probes until a probe passes. @throws when the process is dead, or after the deadline with the last probe's error. */
async function untilUp(program: EngineProgram, dead: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([dead, AbortSignal.timeout(START_DEADLINE_MS)]);
  for (;;) {
    try {
      await program.probe(signal);
      dead.throwIfAborted();
      return;
    } catch (cause) {
      if (dead.aborted) throw dead.reason;
      if (signal.aborted) throw new Error(`it did not answer within ${START_DEADLINE_MS} ms`, { cause });
    }
    await delay(PROBE_INTERVAL_MS);
  }
}

/** Whether no thread of a process runs, as Linux tells it (proc(5): the state follows the name); elsewhere it is believed. */
function isFrozen(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return true;
  return readdirSync(tasks).every((task) => {
    try {
      return /\) [TtZ] /.test(readFileSync(join(tasks, task, "stat"), "utf8"));
    } catch {
      // The thread ended meanwhile.
      return true;
    }
  });
}
