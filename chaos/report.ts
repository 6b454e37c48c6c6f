import { textTable } from "../src/cli/text-table.ts";
import type { ChaosOptions } from "./arguments.ts";
import { type Audit, isClean, type Missing, type Tally } from "./check/audit.ts";
import type { Ledger } from "./check/ledger.ts";
import { describeTerms, type Terms } from "./check/terms.ts";
import type { Done } from "./troubles/troublemaker.ts";

/** At most so many messages, and other findings of a kind, are listed. */
const LISTED = 10;
const TABLE_WIDTH = 160;

/** What a run has to tell, beside its audit. */
export interface RunFacts {
  readonly options: ChaosOptions;
  readonly terms: Terms;
  readonly troubles: Done;
  readonly cutHow: string;
  /** Whether Ctrl-C ended the load early. */
  readonly interrupted: boolean;
  /** How long the load lasted, and how long what was promised took to arrive afterwards, in seconds. */
  readonly loadSeconds: number;
  readonly drainSeconds: number;
  /** How many dead letters there were at the end; `undefined` where the broker keeps none. */
  readonly deadLetters: number | undefined;
  /** Processes that ended by themselves, or did not end when they were told to. */
  readonly problems: readonly string[];
}

/** What became of the messages at one kind of receivers, as numbers. */
type Figures = Omit<Tally, "broken"> & {
  /** Of those lost, the ones that were promised. */
  readonly lostThoughPromised: number;
};

/** What a run found, as `--json` prints it. */
export interface ChaosReport extends Figures {
  /** Whether everything promised came, nothing came to where it does not belong, and every process did as it was told. */
  readonly ok: boolean;
  readonly broker: string;
  readonly promise: string;
  readonly seed: number;
  readonly interrupted: boolean;
  readonly loadSeconds: number;
  readonly drainSeconds: number;
  readonly processes: Pick<ChaosOptions, "publishers" | "members" | "queues" | "broadcast">;
  readonly troubles: {
    readonly kills: number;
    readonly pauses: number;
    readonly cuts: number;
    readonly connectionsCut: number;
    readonly cutHow: string;
    readonly killed: Readonly<Record<string, number>>;
  };
  /** How many receipts there were, by their state. */
  readonly states: Readonly<Record<string, number>>;
  /** How many publishes were rejected, by code; those that may be tried again were. */
  readonly rejected: Readonly<Record<string, number>>;
  /** How often a process failed to connect or subscribe and tried again, by code. */
  readonly triedAgain: Readonly<Record<string, number>>;
  readonly atQueues: Figures;
  readonly atBroadcast: Figures;
  readonly wrongQueue: number;
  readonly foreign: number;
  readonly deadLetters: number | null;
  readonly problems: readonly string[];
  /** The first of what is missing though it was promised, of what came to the wrong queue, and of what nobody sent. */
  readonly findings: readonly string[];
}

/** Puts a run's report together. */
export function makeReport(ledger: Ledger, found: Audit, facts: RunFacts): ChaosReport {
  const { options, terms, troubles } = facts;
  const { publishers, members, queues, broadcast } = options;
  const [atQueues, atBroadcast] = [figures(found.queues), figures(found.broadcast)];
  const both = (of: (one: Figures) => number): number => of(atQueues) + of(atBroadcast);
  const missing = [...found.queues.broken, ...found.broadcast.broken];
  const messages = [...ledger.messages.values()];
  return {
    ok: isClean(found) && facts.problems.length === 0,
    broker: terms.broker,
    promise: describeTerms(terms),
    seed: options.seed,
    interrupted: facts.interrupted,
    loadSeconds: facts.loadSeconds,
    drainSeconds: facts.drainSeconds,
    processes: { publishers, members, queues, broadcast },
    troubles: {
      kills: troubles.counts.kill,
      pauses: troubles.counts.pause,
      cuts: troubles.counts.cut,
      connectionsCut: troubles.connections,
      cutHow: facts.cutHow,
      killed: troubles.killed,
    },
    sent: messages.length,
    acknowledged: ledger.acknowledged,
    promised: both(({ promised }) => promised),
    received: both(({ received }) => received),
    lost: both(({ lost }) => lost),
    lostThoughPromised: both(({ lostThoughPromised }) => lostThoughPromised),
    duplicated: both(({ duplicated }) => duplicated),
    reordered: both(({ reordered }) => reordered),
    states: counted(messages.flatMap(({ state }) => (state === undefined ? [] : [state]))),
    rejected: Object.fromEntries(ledger.rejected),
    triedAgain: Object.fromEntries(ledger.failed),
    atQueues,
    atBroadcast,
    wrongQueue: found.wrongQueue.length,
    foreign: found.foreign.length,
    deadLetters: facts.deadLetters ?? null,
    problems: facts.problems,
    findings: [
      ...missing.slice(0, LISTED).map((one) => `missing: ${describeMissing(one)}`),
      ...found.wrongQueue.slice(0, LISTED).map((text) => `wrong queue: ${text}`),
      ...found.foreign.slice(0, LISTED).map((text) => `sent by nobody: ${text}`),
    ],
  };
}

/** The report as lines for people. */
export function printReport(report: ChaosReport): string {
  const { troubles, atQueues, atBroadcast, processes } = report;
  const rows = [
    ...(processes.members > 0 ? [["queues", ...cells(atQueues)]] : []),
    ...(processes.broadcast > 0 ? [["without a queue", ...cells(atBroadcast)]] : []),
  ];
  const cut = troubles.cuts === 0 ? "" : `, ${plural(troubles.connectionsCut, "connection")} ${troubles.cutHow}`;
  const killed = troubles.kills === 0 ? "" : ` (${list(troubles.killed)})`;
  return [
    `chaos on ${report.broker}, seed ${report.seed}: ${report.loadSeconds.toFixed(1)} s of load${report.interrupted ? ", ended early" : ""}, ${report.drainSeconds.toFixed(1)} s until what was promised had come`,
    `troubles: ${plural(troubles.kills, "kill")}${killed}, ${plural(troubles.pauses, "pause")}, ${plural(troubles.cuts, "cut")}${cut}`,
    report.promise,
    "",
    textTable(
      ["", "sent", "acknowledged", "promised", "received", "lost", "though promised", "duplicated", "reordered"],
      rows,
      TABLE_WIDTH,
      (heading) => heading,
    ),
    "",
    `published: sent ${report.sent}, acknowledged ${report.acknowledged} (${list(report.states)}), rejected ${list(report.rejected)}`,
    `connecting or subscribing tried again: ${list(report.triedAgain)}`,
    `in the wrong queue ${report.wrongQueue}, sent by nobody ${report.foreign}, dead letters ${report.deadLetters ?? "not kept"}`,
    ...report.problems.map((problem) => `problem: ${problem}`),
    ...report.findings,
    verdict(report),
  ].join("\n");
}

function verdict({ ok, lost, lostThoughPromised, wrongQueue, foreign, problems }: ChaosReport): string {
  if (ok) return lost === 0 ? "ok: nothing was lost" : `ok: nothing that was promised was lost; ${lost} that were not`;
  const reasons = [
    [lostThoughPromised, "lost though promised"],
    [wrongQueue, "in the wrong queue"],
    [foreign, "sent by nobody"],
    [problems.length, "processes that did not do as they were told"],
  ] as const;
  return `FAILED: ${reasons
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`)
    .join(", ")}`;
}

function figures({ broken, ...rest }: Tally): Figures {
  return { ...rest, lostThoughPromised: broken.length };
}

function cells(one: Figures): string[] {
  const { sent, acknowledged, promised, received, lost, lostThoughPromised, duplicated, reordered } = one;
  return [sent, acknowledged, promised, received, lost, lostThoughPromised, duplicated, reordered].map(String);
}

function describeMissing({ message, at }: Missing): string {
  const { text, state, life } = message;
  return `${text} at ${at}: ${state}, published in the ${ordinal(life + 1)} life of its publisher`;
}

function counted(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function list(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1));
  return entries.length === 0 ? "0" : entries.map(([name, count]) => `${name} ${count}`).join(", ");
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function ordinal(number: number): string {
  const [tens, ones] = [number % 100, number % 10];
  const ending = tens > 10 && tens < 14 ? "th" : (["th", "st", "nd", "rd"][ones] ?? "th");
  return `${number}${ending}`;
}
