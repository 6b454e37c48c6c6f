// Measures a group: everybody in turn, several rounds, on bodies of several sizes; each in processes of its own.
import { Child } from "./child.mjs";
import { startEngine } from "./engines.mjs";
import { membersOf } from "./groups.mjs";
import { rowsOf } from "./rows.mjs";
import { BODY_BYTES } from "./workload.mjs";

const MEBIBYTE = 1024 ** 2;

/** The rows of a group, and who did not take part, with the reason; and the version of its engine, where it has one. */
export async function measureGroup(group, options) {
  let engine;
  try {
    engine = group.engine === undefined ? undefined : await startEngine(group.engine);
  } catch (error) {
    const reason = firstLine(error);
    say(`${group.name} is skipped: ${reason}`);
    return { rows: [], skipped: { [group.name]: reason } };
  }
  const senders = new Map();
  try {
    const skipped = await start(group, engine, senders);
    const others = [
      ...group.beside.map((name) => ({ name, peer: false })),
      ...group.peers.map((name) => ({ name, peer: true })),
    ].filter(({ name }) => senders.has(name));
    const rounds = senders.has(group.ours) ? await rounded(group.name, senders, skipped, options) : [];
    return { rows: rowsOf(group.name, rounds, group.ours, others), skipped };
  } finally {
    for (const sender of senders.values()) await sender.stop();
    await engine?.stop();
  }
}

/** Starts everybody; resolves with who could not be. */
async function start(group, engine, senders) {
  const skipped = {};
  for (const name of membersOf(group)) {
    const sender = new Child("sender.mjs", name, ...(engine === undefined ? [] : [engine.url]));
    senders.set(name, sender);
    try {
      await sender.answer("ready");
    } catch (error) {
      skipped[name] = firstLine(error);
      say(`${name} does not take part: ${skipped[name]}`);
      senders.delete(name);
      await sender.stop();
    }
  }
  return skipped;
}

/**
 * The figures of each round: one of each contestant and size. Round 0 warms up and is not counted. Who fails takes no further
 * part, and is skipped.
 */
async function rounded(group, senders, skipped, options) {
  const figures = [];
  for (let round = 0; round <= options.rounds; round += 1) {
    const ofRound = [];
    for (const bodyBytes of BODY_BYTES)
      for (const [contestant, sender] of senders) {
        const which = round === 0 ? "warm-up" : `round ${round} of ${options.rounds}`;
        say(`${group}: ${which}: ${contestant}, ${bodyBytes} bytes`);
        try {
          ofRound.push({ contestant, bodyBytes, ...(await figuresOf(sender, bodyBytes, round > 0, options)) });
        } catch (error) {
          skipped[contestant] = firstLine(error);
          say(`${contestant} failed: ${skipped[contestant]}`);
          senders.delete(contestant);
          await sender.stop();
        }
      }
    if (round > 0) figures.push(ofRound);
  }
  return figures;
}

async function figuresOf(sender, bodyBytes, withLatency, { ms, rate, latencyMessages }) {
  const { messagesPerSecond, cpuMicrosPerMessage, peakBytes } = await sender.ask("throughput", { bodyBytes, ms });
  return {
    throughput: messagesPerSecond,
    cpu: cpuMicrosPerMessage,
    // A peak never falls: the one after the last size is that of all.
    ...(bodyBytes === BODY_BYTES.at(-1) ? { memory: peakBytes / MEBIBYTE } : {}),
    ...(withLatency ? await sender.ask("latency", { bodyBytes, count: latencyMessages, rate }) : {}),
  };
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function firstLine(error) {
  return error.message.split("\n")[0];
}
