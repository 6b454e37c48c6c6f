import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { errorCode } from "./failure.ts";

/** The process that a file belongs to, as its name tells: readable even where the content is not. */
export interface Owner {
  readonly pid: number;
  /** When the process started, in the kernel's ticks since boot: tells it from a later one with the same pid. */
  readonly startTime: string;
  /** Names the boot and the pid namespace: only within one host id do pids mean the same. */
  readonly hostId: string;
}

const OWNER = /^(\d{1,10})-(\d{1,20})-([0-9a-f]{12})-[0-9a-f]{16}$/;
const UNKNOWN_START = "0";

/** The identity of this process. */
export function currentOwner(): Owner {
  if (process.platform !== "linux") {
    // There is no cheap start time or boot id: a reused pid is only found out by the TTL.
    return { pid: process.pid, startTime: UNKNOWN_START, hostId: hash(process.platform) };
  }
  const startTime = readStartTime(process.pid);
  const namespace = readNamespace();
  if (startTime === undefined || namespace === undefined) {
    return { pid: process.pid, startTime: UNKNOWN_START, hostId: randomBytes(6).toString("hex") };
  }
  return { pid: process.pid, startTime, hostId: hash(namespace) };
}

/** A file name's stem that is unique and tells the owner. */
export function ownedStem(owner: Owner): string {
  return `${owner.pid}-${owner.startTime}-${owner.hostId}-${randomBytes(8).toString("hex")}`;
}

/** The owner that {@link ownedStem} put into a name. */
export function parseOwner(stem: string): Owner | undefined {
  const match = OWNER.exec(stem);
  if (match === null) return undefined;
  const [, pid = "", startTime = "", hostId = ""] = match;
  return { pid: Number(pid), startTime, hostId };
}

/**
 * Whether the owner is known to have ended, seen from the process `self`. Across boots and pid namespaces nothing is
 * known, and the answer is no.
 */
export function hasEnded(owner: Owner, self: Owner): boolean {
  if (owner.hostId !== self.hostId) return false;
  if (owner.pid === self.pid) return owner.startTime !== self.startTime;
  if (self.startTime !== UNKNOWN_START) {
    const startTime = readStartTime(owner.pid);
    return startTime !== undefined && startTime !== owner.startTime;
  }
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return errorCode(error) === "ESRCH";
  }
}

/** The start time of a process, `"ended"` for one that is no more, `undefined` where the system does not tell. */
function readStartTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    const code = errorCode(error);
    // ESRCH: it ended between the opening and the reading.
    return code === "ENOENT" || code === "ESRCH" ? "ended" : undefined;
  }
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  // A zombie has ended, even if its parent has not asked yet.
  if (state === "Z" || state === "X") return "ended";
  const startTime = fields[19];
  return startTime !== undefined && /^\d+$/.test(startTime) ? startTime : undefined;
}

function readNamespace(): string | undefined {
  try {
    // A /proc of another pid namespace would describe other processes under our pids.
    if (readlinkSync("/proc/self") !== String(process.pid)) return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    // Hidden by a sandbox: then no pid can be trusted, and only the TTL decides.
    return undefined;
  }
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
