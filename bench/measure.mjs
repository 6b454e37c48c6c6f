// Measures a group: everybody in turn, several rounds, on bodies of several sizes; each in processes of its own.
import { Child } from "./child.mjs";
import { CONTESTANTS } from "./contestants.mjs";
import { startEngine } from "./engines.mjs";
import { membersOf } from "./groups.mjs";
import { rowsOf } from "./rows.mjs";
import { BODY_BYTES, LARGE_BYTES } from "./workload.mjs";

const MEBIBYTE = 1024 ** 2;

/** How much longer a throughput run takes that only warms up, and how much less there is in such a latency run. */
const WARM_UP = { longer: 3, lessLatency: 4 };

/**
 * How long somebody runs before a run that counts, as a part of that: while it waited for its turn, V8 let go of code and memory
 * that it had not used for some seconds, which costs most where there is most of it.
 */
const LEAD_IN = 1 / 2;

/** How much less there is of large bodies in a latency run. */
const LESS_OF_LARGE = 10;

/** The sizes that are measured in a group. */
function sizesOf({ bodyBytes = BODY_BYTES }, { full }) {
  return full ? BODY_BYTES : bodyBytes;
}

/** How many steps a group takes at most. */
export function stepsOf(group, options) {
  return (options.rounds + 1) * sizesOf(group, options).length * membersOf(group).length;
}

/** The rows of a group, and who did not take part, with the reason; and the version of its engine, where it has one. */
export async function measureGroup(group, options, steps) {
  let engine;
  try {
    engine = group.engine === undefined ? undefined : await startEngine(group.engine);
  } catch (error) {
    const reason = firstLine(error);
    steps.say(`${group.name} is skipped: ${reason}`);
    return { rows: [], skipped: { [group.name]: reason } };
  }
  const senders = new Map();
  try {
    const skipped = await start(group, engine, senders, steps);
    const others = [
      ...group.beside.map((name) => ({ name, peer: false })),
      ...group.peers.map((name) => ({ name, peer: true })),
    ].filter(({ name }) => senders.has(name));
    const rounds = senders.has(group.ours) ? await rounded(group, senders, skipped, options, steps) : [];
    return { rows: rowsOf(group.name, rounds, group.ours, others), skipped };
  } finally {
    for (const sender of senders.values()) await sender.stop();
    await engine?.stop();
  }
}

/** Starts everybody; resolves with who could not be. */
async function start(group, engine, senders, steps) {
  const skipped = {};
  for (const name of membersOf(group)) {
    const sender = new Child("sender.mjs", name, ...(engine === undefined ? [] : [engine.url]));
    senders.set(name, sender);
    try {
      await sender.answer("ready");
    } catch (error) {
      skipped[name] = firstLine(error);
      steps.say(`${name} does not take part: ${skipped[name]}`);
      senders.delete(name);
      await sender.stop();
    }
  }
  return skipped;
}

/**
 * The figures of each round: one of each contestant and size. Round 0 warms up and is not counted. One size after the other, so
 * that what small messages leave to do, for the garbage collector and the engine, is not done while large ones are measured; and
 * every second round the other way round, so that nobody always comes first, or always after the same one. Who fails takes no
 * further part, and is skipped.
 */
async function rounded(group, senders, skipped, options, steps) {
  const figures = Array.from({ length: options.rounds }, () => []);
  const sizes = sizesOf(group, options);
  for (const bodyBytes of sizes)
    for (let round = 0; round <= options.rounds; round += 1)
      for (const [contestant, sender] of inOrderOf(round, senders)) {
        const which = round === 0 ? "warm-up" : `round ${round} of ${options.rounds}`;
        steps.begin(`${group.name}: ${which}: ${contestant}, ${bodyBytes} bytes`);
        try {
          const ms = options.ms * (bodyBytes >= LARGE_BYTES ? (group.longerWhenLarge ?? 1) : 1);
          const measured = await figuresOf(contestant, sender, bodyBytes, { ...options, ms }, round === 0);
          figures[round - 1]?.push({
            contestant,
            bodyBytes,
            ...measured,
            ...memoryOf(measured, bodyBytes === sizes.at(-1)),
          });
        } catch (error) {
          skipped[contestant] = firstLine(error);
          steps.say(`${contestant} failed: ${skipped[contestant]}`);
          senders.delete(contestant);
          await sender.stop();
        }
      }
  return figures;
}

function inOrderOf(round, senders) {
  return round % 2 === 0 ? [...senders] : [...senders].reverse();
}

async function figuresOf(contestant, sender, bodyBytes, { ms, rate, latencyMessages, inFlight }, warmsUp) {
  const run = (runMs) =>
    sender.ask("throughput", { bodyBytes, ms: runMs, inFlight: inFlight ?? CONTESTANTS[contestant].inFlight });
  if (!warmsUp) await run(ms * LEAD_IN);
  const { messagesPerSecond, cpuMicrosPerMessage, peakBytes } = await run(warmsUp ? ms * WARM_UP.longer : ms);
  const { receivers = 1, shared = false } = CONTESTANTS[contestant];
  // The rate is that of deliveries, of which a message for ten has ten.
  const less = (shared ? 1 : receivers) * (bodyBytes >= LARGE_BYTES ? LESS_OF_LARGE : 1);
  const lessOften = less * (warmsUp ? WARM_UP.lessLatency : 1);
  const paced = { bodyBytes, messages: Math.ceil(latencyMessages / lessOften), rate: rate / less };
  return {
    throughput: messagesPerSecond,
    cpu: cpuMicrosPerMessage,
    peakMiB: peakBytes / MEBIBYTE,
    ...(await sender.ask("latency", paced)),
  };
}

/** A peak never falls: the one after the last size is that of all. */
function memoryOf({ peakMiB }, isLast) {
  return isLast ? { memory: peakMiB } : {};
}

function firstLine(error) {
  return error.message.split("\n")[0];
}
