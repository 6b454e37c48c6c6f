// What a process has used so far.
import { liveBytes } from "./live-heap.mjs";

const BYTES_PER_KIBIBYTE = 1_024;

/**
 * Processor time since the start, user's and system's, in microseconds; and the most memory that it ever had, in bytes, without what
 * it was made to hold.
 */
export function usage() {
  const { user, system } = process.cpuUsage();
  return { cpuMicros: user + system, peakBytes: process.resourceUsage().maxRSS * BYTES_PER_KIBIBYTE - liveBytes() };
}
