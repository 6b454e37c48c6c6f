// What a reader must know beside the figures: how they came about, and who promises what.
import { CONCURRENCY, CONTESTANTS, PREFETCH } from "./contestants.mjs";
import { RABBITMQ_LONGER } from "./groups.mjs";
import { LARGE_BYTES, WINDOW_BYTES, windowOf } from "./workload.mjs";

const KIBIBYTE = 1024;
const MEBIBYTE = KIBIBYTE ** 2;

/** How the figures came about. */
export function howMeasured({ options: { rounds, ms, rate, latencyMessages, heapMiB, inFlight } }) {
  const window =
    inFlight === undefined
      ? "As many publishes are in flight as the second table of a section says"
      : `In flight are ${inFlight} publishes, whatever the tables say`;
  return [
    `Everybody takes turns, every second round the other way round, ${rounds} ${rounds === 1 ? "round" : "rounds"} after a warm-up, one size after the other; a run takes about ${ms} ms (RabbitMQ's with ${LARGE_BYTES / KIBIBYTE} KiB ${RABBITMQ_LONGER} times that), after another that does not count. A ratio is that of two runs of one round, ours / theirs; shown are its median and, in parentheses, the smallest and the largest.`,
    "Messages a second count from the first send until all are sent, handled and acknowledged. Processor time and peak memory are those of publisher and subscribers together, without the engine's; a peak is of all sizes, and stands with the last.",
    `${window}, but never more than ${WINDOW_BYTES / MEBIBYTE} MiB of bodies: with ${LARGE_BYTES / KIBIBYTE} KiB that is ${windowOf(WINDOW_BYTES, LARGE_BYTES)} messages at most. Handlers run ${CONCURRENCY} at once; a receiver of the HTTP broker holds ${PREFETCH} messages, those among them.`,
    `Each process that sends or receives holds ${heapMiB} MiB of small objects beside, as one of a service does, and as no memory that is shown here. V8 decides by the size of the heap how many buffers come together before it collects all of it.`,
    `Latency is from sending to handling at ${rate} deliveries a second, ${latencyMessages} in a run; with bodies of ${LARGE_BYTES / KIBIBYTE} KiB a tenth of both. Of fewer than 1,000, p99.9 is the slowest. It swings more than the rest.`,
  ];
}

/** Where and with what, as lines. */
export function whereMeasured({ date, environment }) {
  const { tidings, node, system, cpu, cores, memoryGiB, load, engines, packages, peers } = environment;
  const list = (versions) =>
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ");
  return [
    `Measured on ${date}: Tidings ${tidings}, Node ${node}.`,
    `Machine: ${cores} cores of ${cpu}, ${memoryGiB} GiB, ${system}; load average when it began: ${load.toFixed(1)}.`,
    `Engines: ${list(engines) || "none"}.`,
    `Packages: ${list(packages)}.`,
    `Peers, with what they need: ${list(peers) || "none"}.`,
  ];
}

/** Who waits for what, how much is in flight, and what is not promised beside Tidings: the cells of a table, the head first. */
export function promiseCells(rows) {
  const names = [...new Set(rows.flatMap(({ contestant, beside }) => [contestant, beside]))];
  const known = names.filter((name) => name in CONTESTANTS);
  const cells = known.map((name) => {
    const { waitsFor, inFlight, less, receivers = 1 } = CONTESTANTS[name];
    return [name, waitsFor, String(inFlight), String(receivers), less ?? ""];
  });
  return [["who", "a send is done when", "in flight", "receivers", "promises less than Tidings"], ...cells];
}

/** The command that repeats a group's rows. */
export function commandOf(name) {
  return `npm run bench -- --only ${name}`;
}

/** Who did not take part. */
export function skippedLines({ skipped }) {
  return Object.entries(skipped).map(([name, reason]) => `Not measured: ${name}: ${reason}.`);
}
