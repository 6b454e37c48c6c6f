// A network namespace of this run's own: multicast stays in it, and nobody else's reaches it. Linux, as root.
import { spawn, spawnSync } from "node:child_process";

const INSIDE = "TIDINGS_INTEROP_INSIDE";

// go-micro asks by the default route, so that there must be one: a pair of interfaces that leads nowhere. Its records name the
// host, and what is recorded names no machine: here it has a name of its own.
const SETUP = [
  "hostname localhost",
  "ip link set lo up",
  "ip link add m0 type veth peer name m1",
  "ip addr add 10.77.0.1/24 dev m0",
  "ip link set m0 up",
  "ip link set m1 up",
  "ip route add default dev m0",
  'exec "$@"',
].join(" && ");

/** Whether this process runs in a namespace of its own already. */
export function isInside(env = process.env) {
  return env[INSIDE] === "1";
}

/** Why there can be no namespace here; `undefined` where there can. */
export function namespaceRefusal() {
  const { status, error, stderr } = spawnSync("unshare", ["-n", "-u", "sh", "-c", SETUP, "sh", "true"], {
    encoding: "utf8",
  });
  if (error === undefined && status === 0) return undefined;
  return `no network namespace can be made here: ${(error?.message ?? stderr.trim()) || `status ${status}`}`;
}

/** Runs a program in a namespace of its own; resolves with its exit status. Its output goes where this process's goes. */
export function runInside(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn("unshare", ["-n", "-u", "sh", "-c", SETUP, "sh", program, ...args], {
      stdio: "inherit",
      env: { ...process.env, [INSIDE]: "1" },
    });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
