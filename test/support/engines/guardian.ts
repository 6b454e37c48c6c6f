import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Reads `watch <pid>` and `forget <pid>`. At the end of its input, which comes with the end of the test process however
 * that ends, it kills what it still watches and removes the folder.
 */
export const GUARDIAN_SCRIPT = `
trap '' INT TERM HUP
folder=$1
pids=
while read -r verb pid; do
  case $verb in
    watch) pids="$pids $pid" ;;
    forget)
      kept=
      for one in $pids; do [ "$one" = "$pid" ] || kept="$kept $one"; done
      pids=$kept ;;
  esac
done
[ -z "$pids" ] || kill -9 $pids 2>/dev/null
tries=0
until rm -rf "$folder" 2>/dev/null || [ $tries -ge 50 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
`;

/** Sees to it that an engine's processes and folder do not outlive the test process, not even when that is killed. */
export interface Guardian {
  /** From now on the process is killed when the test process ends. */
  watch(child: ChildProcess): void;
  /** Kills what is watched and removes the folder now. Safe to call twice. */
  finish(): Promise<void>;
}

/** Starts the guardian of a folder: a shell that waits for the end of its input. */
export function guard(folder: string): Guardian {
  const shell = spawn("/bin/sh", ["-c", GUARDIAN_SCRIPT, "guardian", folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const gone = once(shell, "exit");
  shell.unref();
  // Nothing can be told to a guardian that has ended; its end is what `finish` waits for.
  shell.stdin.on("error", () => shell.stdin.destroy());
  (shell.stdin as unknown as { unref?(): void }).unref?.();
  const tell = (text: string): void => {
    if (shell.stdin.writable) shell.stdin.write(`${text}\n`);
  };
  return {
    watch(child) {
      tell(`watch ${child.pid}`);
      child.once("exit", () => tell(`forget ${child.pid}`));
    },
    async finish() {
      shell.stdin.end();
      shell.ref();
      await gone;
    },
  };
}
