// Measures how the cost of a delivered message grows with the work: the points of a curve take turns, in processes of their own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../child.mjs";
import { startEngine } from "../engines.mjs";
import { rowsOf } from "../rows.mjs";
import { CURVES, pointsOf } from "./curves.mjs";

const MEBIBYTE = 1024 ** 2;

/** The brokers whose growth is measured, and the engine that each needs. */
const BROKERS = {
  memory: undefined,
  http: undefined,
  "nats-core": "nats",
  jetstream: "jetstream",
  rabbitmq: "rabbitmq",
};

/** By which names growth is asked for. */
export const GROWTH_NAMES = ["growth", ...Object.keys(BROKERS).map((name) => `growth-${name}`)];

/** The brokers that are asked for: without a word about growth those that need no engine, or all with `full`. */
export function growthBrokers({ only, full }) {
  const usual = Object.keys(BROKERS).filter((name) => full || BROKERS[name] === undefined);
  if (only === undefined) return usual;
  return Object.keys(BROKERS).filter(
    (name) => only.includes(`growth-${name}`) || (only.includes("growth") && usual.includes(name)),
  );
}

/** How many steps the growth of a broker takes. */
export function growthSteps(broker, { rounds }) {
  return curvesOf(broker).reduce((sum, curve) => sum + (rounds + 1) * pointsOf(curve, broker).length, 0);
}

/**
 * The rows of a broker's growth: each has its `curve` and its `point`, and compares that with the curve's first one. `skipped`:
 * what could not be measured, with the reason.
 */
export async function measureGrowth(broker, options, steps) {
  let engine;
  const rows = [];
  const skipped = {};
  try {
    engine = BROKERS[broker] === undefined ? undefined : await startEngine(BROKERS[broker]);
    for (const curve of curvesOf(broker)) {
      try {
        rows.push(...(await measureCurve(broker, curve, engine, options, steps)));
      } catch (error) {
        skip(`${broker}: ${CURVES[curve].counts}`, error);
      }
    }
  } catch (error) {
    skip(`growth-${broker}`, error);
  } finally {
    await engine?.stop();
  }
  return { rows, skipped };

  function skip(what, error) {
    skipped[what] = error.message.split("\n")[0];
    steps.say(`${what} failed: ${skipped[what]}`);
  }
}

function curvesOf(broker) {
  return Object.keys(CURVES).filter((curve) => CURVES[curve].brokers.includes(broker));
}

async function measureCurve(broker, curve, engine, options, steps) {
  const points = pointsOf(curve, broker);
  const senders = new Map();
  const folders = [];
  try {
    for (const point of points) {
      // Each point has a registry of its own, or it would know of the others' subscriptions.
      folders.push(mkdtempSync(join(tmpdir(), "tidings-bench-growth-")));
      const args = [broker, curve, String(point), ...(engine === undefined ? [] : [engine.url])];
      const environment = { TIDINGS_LOCAL_REGISTRY_FOLDER: folders.at(-1) };
      senders.set(point, new Child("growth/sender.mjs", ...args, environment));
      await senders.get(point).answer("ready");
    }
    return await rounded(broker, curve, senders, options, steps);
  } finally {
    for (const sender of senders.values()) await sender.stop();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

async function rounded(broker, curve, senders, { rounds, ms }, steps) {
  const figures = [];
  const say = (which, point) => steps.begin(`growth: ${which}: ${broker}, ${point} ${CURVES[curve].counts}`);
  for (const [point, sender] of senders) {
    say("warm-up", point);
    await sender.ask("warmUp", ms);
  }
  for (let round = 1; round <= rounds; round += 1) {
    const ofRound = [];
    for (const [point, sender] of senders) {
      say(`round ${round} of ${rounds}`, point);
      const { throughput, cpu, peakBytes } = await sender.ask("run", ms);
      ofRound.push({ contestant: nameOf(broker, curve, point), throughput, cpu, memory: peakBytes / MEBIBYTE });
    }
    figures.push(ofRound);
  }
  const [first, ...others] = senders.keys();
  const beside = [{ name: nameOf(broker, curve, first), peer: false }];
  // The first point beside itself is where a curve begins.
  return [first, ...others].flatMap((point) =>
    rowsOf("growth", figures, nameOf(broker, curve, point), beside).map((row) => ({ ...row, broker, curve, point })),
  );
}

function nameOf(broker, curve, point) {
  return `${broker}: ${curve} ${point}`;
}
