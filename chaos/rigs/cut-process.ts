import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Established TCP connections, in numbers, with the processes that have them. */
const LIST = ["-H", "-t", "-n", "-p", "state", "established"];
/** How many connections one command names: its filter has a limit. */
const PER_COMMAND = 50;

/**
 * Has the kernel reset every established TCP connection of a process, as an administrator can (`ss -K`): the process sees
 * ECONNABORTED, the other ends ECONNRESET. Resolves with how many there were.
 */
export async function cutProcessByKernel(pid: number): Promise<number> {
  const { stdout } = await run("ss", LIST);
  const own = stdout.split("\n").filter((line) => line.includes(`pid=${pid},`));
  const pairs = own.map((line) => {
    const [, , local = "", peer = ""] = line.trim().split(/\s+/);
    return `( sport = :${portOf(local)} and dport = :${portOf(peer)} )`;
  });
  for (let at = 0; at < pairs.length; at += PER_COMMAND) {
    const filter = pairs.slice(at, at + PER_COMMAND).join(" or ");
    await run("ss", ["-K", "-H", "-t", "-n", "state", "established", `( ${filter} )`]);
  }
  return pairs.length;
}

/** Whether the kernel resets connections for this user: Linux, for root. It is tried, on a connection of its own. */
export async function kernelCuts(): Promise<boolean> {
  const server = createServer((socket) => socket.on("error", () => socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  try {
    await once(client, "connect");
    const reset = resetOf(client);
    await run("ss", [
      "-K",
      "-H",
      "-t",
      "-n",
      "state",
      "established",
      `( sport = :${client.localPort} and dport = :${port} )`,
    ]);
    return await reset;
  } catch {
    // No `ss`, or one that may not: the processes have to do it.
    return false;
  } finally {
    client.destroy();
    server.close();
  }
}

const RESET_WITHIN_MS = 500;

function resetOf(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), RESET_WITHIN_MS);
    socket.once("error", () => {
      clearTimeout(late);
      resolve(true);
    });
  });
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}
