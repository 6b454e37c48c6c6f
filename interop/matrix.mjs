// All cells and scenarios, in a namespace of their own, with the engines that they need.
import { COLUMNS, LEVELS, runCell } from "./cells.mjs";
import { startEngine } from "./engines.mjs";
import { VERSIONS } from "./peers.mjs";
import { scenarioTable, table } from "./report.mjs";
import { runScenario, SCENARIOS } from "./scenarios.mjs";

const TRANSPORTS = ["http", "https", "nats", "rabbitmq"];

/** Runs what was asked for and prints the tables. Returns the exit status: 1 where a peer that was built met a failure. */
export async function runMatrix({ messages, version, transport, level, parallel, json }) {
  const count = Number(messages);
  const versions = VERSIONS.filter(({ name }) => version?.includes(name) ?? true).map(withPeer);
  const rows = [];
  for (const name of TRANSPORTS.filter((one) => transport?.includes(one) ?? true)) {
    const engine = await startEngine(name);
    try {
      const levels = LEVELS.filter((one) => level?.includes(one) ?? true);
      const asked = versions.flatMap((peer) => levels.map((one) => ({ peer, transport: name, level: one })));
      rows.push(...(await inTurn(asked, Number(parallel), (row) => runRow(row, engine, count))));
    } finally {
      await engine.stop();
    }
  }
  const scenarios = transport === undefined || transport.includes("http") ? await runScenarios(versions) : [];
  console.log(`\n${count} messages in each cell; every receiver of a broadcast gets all of them.`);
  console.log(table(rows));
  if (scenarios.length > 0) console.log(scenarioTable(scenarios));
  const results = [...rows.flatMap((row) => row.cells), ...scenarios];
  if (json) console.log(JSON.stringify({ rows, scenarios }));
  return results.some(({ ok, skipped }) => !ok && !skipped) ? 1 : 0;
}

function withPeer(version) {
  const path = process.env[version.variable] || undefined;
  return { ...version, path, reason: path === undefined ? process.env[`${version.variable}_REASON`] : undefined };
}

async function runRow({ peer, transport, level }, engine, count) {
  const { name, path, oldWire = false, lacks = {} } = peer;
  const reason = peer.reason ?? lacks[transport] ?? lacks[level] ?? engine.reason;
  const cells = [];
  for (const column of COLUMNS) {
    if (reason !== undefined) {
      cells.push({ ok: false, skipped: true, reason });
      continue;
    }
    const { address, tls } = engine;
    const cell = await runCell({ version: name, oldWire, path, transport, address, tls, level, column, count });
    console.log(`${name} ${transport} ${level}: ${column}: ${cell.ok ? `ok, ${cell.ms} ms` : cell.reason}`);
    cells.push(cell);
  }
  return { version: name, transport, level, cells };
}

async function runScenarios(versions) {
  const results = [];
  for (const { name, path, reason, lacks } of versions) {
    for (const [scenario, run] of Object.entries(SCENARIOS)) {
      const missing = reason ?? lacks?.json;
      const result =
        missing === undefined ? await runScenario(run, path) : { ok: false, skipped: true, reason: missing };
      if (!result.skipped) console.log(`${name} ${scenario}: ${result.ok ? result.detail : result.reason}`);
      results.push({ version: name, scenario, ...result });
    }
  }
  return results;
}

/** Runs `work` for all, a few at a time; resolves with the results in order. */
async function inTurn(all, width, work) {
  const results = [];
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < all.length; index = next++) results[index] = await work(all[index]);
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, lane));
  return results;
}
