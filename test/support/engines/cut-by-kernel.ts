import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Has the kernel reset every established connection to a loopback port, as an administrator can (`ss -K`). Clients see
 * ECONNRESET. New connections are taken at once. Resolves with whether the system can do it: Linux, for root.
 */
export async function cutByKernel(port: number): Promise<boolean> {
  const onServerSide = ["state", "established", `( sport = :${port} )`];
  try {
    const before = await farEnds(onServerSide);
    await run("ss", ["-K", "-H", "-t", "-n", ...onServerSide]);
    const after = new Set(await farEnds(onServerSide));
    return before.every((end) => !after.has(end));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** The far ends of the connections that a filter selects. */
async function farEnds(filter: readonly string[]): Promise<string[]> {
  const { stdout } = await run("ss", ["-H", "-t", "-n", ...filter]);
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/)[3] ?? "")
    .filter((end) => end !== "");
}
