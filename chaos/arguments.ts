import { parseArgs } from "node:util";
import { BrokerError } from "tidings";

/** The kinds of things that chaos troubles, as `--spare` names them. */
const TARGET_KINDS = ["publishers", "members", "broadcast", "engine"] as const;

/** A kind of things that chaos troubles. */
export type TargetKind = (typeof TARGET_KINDS)[number];

/** What a run is to do, as its flags say. */
export interface ChaosOptions {
  /** The name or URL of a broker. */
  readonly broker: string;
  /** `host:port` of its engine; with it, or with a URL, nothing is started and the engine is left alone. */
  readonly address: string | undefined;
  /** How long it publishes and troubles, in seconds. */
  readonly seconds: number;
  readonly seed: number;
  readonly publishers: number;
  /** Processes that are members of every queue. */
  readonly members: number;
  readonly queues: number;
  /** Processes that subscribe to everything without a queue. */
  readonly broadcast: number;
  /** Messages a second, of all publishers together. */
  readonly rate: number;
  readonly kills: number;
  readonly pauses: number;
  readonly cuts: number;
  readonly spare: readonly TargetKind[];
  readonly storage: boolean;
  /** How long what is promised may take to arrive once nothing is published any more, in seconds. */
  readonly drainSeconds: number;
  /** Where the processes' journals are kept; `undefined`: they go with the run. */
  readonly journals: string | undefined;
  readonly json: boolean;
}

/** The help text. */
export const USAGE: string = `Usage: npm run chaos -- [options]

Runs publishers and subscribers as processes, kills, pauses and restarts them at random, cuts their connections, and then
checks that everything promised has come, and to the right queue.

  --broker NAME|URL    http (default), nats, nats+core, rabbitmq, or a URL. Of an engine named without an address a private
                       one is started, and troubled too
  --broker-address H:P the address of an engine that is already there; it is left alone, its connections are not
  --seconds N          how long it publishes and troubles (default 60)
  --seed N             what the troubles follow from (default: by chance; it is printed)
  --publishers N       publishing processes (default 2)
  --members N          processes that are members of every queue (default 2)
  --queues N           queues, each on a topic of its own; messages take turns (default 2)
  --broadcast N        processes that get everything, without a queue (default 1)
  --rate N             messages a second of all publishers together (default 500)
  --kills N            how many SIGKILLs (default: one for every 2 seconds)
  --pauses N           how many SIGSTOPs, of up to 2 seconds (default: one for every 4 seconds)
  --cuts N             how often the connections of a process, or of all, are cut (default: one for every 4 seconds)
  --spare KINDS        what is left alone: publishers, members, broadcast, engine; with commas between
  --storage            each process keeps its outbox in a folder (HTTP broker); a killed publisher comes back to it
  --drain-seconds N    how long what is promised may take to arrive at the end (default 60)
  --journals FOLDER    keeps what the processes wrote down, in a folder that is empty or not there yet
  --json               prints the report as one line of JSON
  -h, --help           prints this

Exit status: 0 when everything promised came, and to the right queue; 1 otherwise; 2 for wrong usage. Ctrl-C ends the load
early and still drains and reports; a second one stops everything at once.`;

interface Count {
  readonly least: number;
  readonly most: number;
}

const COUNTS = {
  seconds: { least: 1, most: 86_400 },
  seed: { least: 0, most: 4_294_967_295 },
  publishers: { least: 1, most: 64 },
  members: { least: 0, most: 64 },
  queues: { least: 1, most: 16 },
  broadcast: { least: 0, most: 64 },
  rate: { least: 1, most: 100_000 },
  kills: { least: 0, most: 100_000 },
  pauses: { least: 0, most: 100_000 },
  cuts: { least: 0, most: 100_000 },
  "drain-seconds": { least: 1, most: 3_600 },
} as const satisfies Record<string, Count>;

const [SECONDS_PER_KILL, SECONDS_PER_PAUSE, SECONDS_PER_CUT] = [2, 4, 4] as const;

/**
 * Reads the flags; `"help"` when that is what they ask for.
 * @param seed what `--seed` is where it is not given
 * @throws BrokerError `ERR_INVALID_OPTION` that says what is wrong with them
 */
export function readArguments(args: readonly string[], seed: number): ChaosOptions | "help" {
  const given = parse(args);
  if (given["help"] === true) return "help";
  const text = (name: string): string | undefined => given[name] as string | undefined;
  const count = (name: keyof typeof COUNTS, otherwise: number): number => {
    const value = text(name);
    return value === undefined ? otherwise : wholeNumber(name, value, COUNTS[name]);
  };
  const seconds = count("seconds", 60);
  const every = (secondsEach: number): number => Math.ceil(seconds / secondsEach);
  const options: ChaosOptions = {
    broker: text("broker") ?? "http",
    address: text("broker-address"),
    seconds,
    seed: count("seed", seed),
    publishers: count("publishers", 2),
    members: count("members", 2),
    queues: count("queues", 2),
    broadcast: count("broadcast", 1),
    rate: count("rate", 500),
    kills: count("kills", every(SECONDS_PER_KILL)),
    pauses: count("pauses", every(SECONDS_PER_PAUSE)),
    cuts: count("cuts", every(SECONDS_PER_CUT)),
    spare: spared(text("spare")),
    storage: given["storage"] === true,
    drainSeconds: count("drain-seconds", 60),
    journals: text("journals"),
    json: given["json"] === true,
  };
  if (options.members === 0 && options.broadcast === 0)
    throw wrong("there is nobody to receive: --members or --broadcast must be at least 1.");
  return options;
}

function parse(args: readonly string[]): Readonly<Record<string, string | boolean | undefined>> {
  const [text, flag] = [{ type: "string" }, { type: "boolean" }] as const;
  const options = {
    broker: text,
    "broker-address": text,
    spare: text,
    journals: text,
    storage: flag,
    json: flag,
    help: { ...flag, short: "h" },
    ...Object.fromEntries(Object.keys(COUNTS).map((name) => [name, text])),
  };
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw wrong((error as Error).message, error);
  }
}

function wholeNumber(name: string, value: string, { least, most }: Count): number {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw wrong(`--${name} takes a whole number from ${least} to ${most}, not ${JSON.stringify(value)}.`);
}

function spared(value: string | undefined): readonly TargetKind[] {
  if (value === undefined) return [];
  return value.split(",").map((name) => {
    const kind = TARGET_KINDS.find((one) => one === name.trim());
    if (kind === undefined)
      throw wrong(`--spare takes ${TARGET_KINDS.join(", ")}, with commas between, not ${JSON.stringify(value)}.`);
    return kind;
  });
}

function wrong(message: string, cause?: unknown): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", message, cause === undefined ? {} : { cause });
}
