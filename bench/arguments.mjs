// The bench's flags.
import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run bench -- [--quick] [--json] [--rounds N] [--messages N] [--rate N] [--latency-messages N]

  --quick               fewer rounds and messages
  --json                print one line of JSON
  --rounds N            how often each contestant runs, taking turns (default 5; quick 2)
  --messages N          messages of a throughput run (default 10000; quick 2000); memory gets 20 times as many
  --rate N              messages a second of a latency run (default 500)
  --latency-messages N  messages of a latency run (default 1000; quick 250)`;

const COUNTS = {
  rounds: { full: 5, quick: 2 },
  messages: { full: 10_000, quick: 2_000 },
  rate: { full: 500, quick: 500 },
  "latency-messages": { full: 1_000, quick: 250 },
};

/** Reads the flags; throws an error that says what is wrong with them. */
export function readArguments(args) {
  const text = { type: "string" };
  const flag = { type: "boolean", default: false };
  const options = {
    quick: flag,
    json: flag,
    help: { ...flag, short: "h" },
    ...Object.fromEntries(Object.keys(COUNTS).map((name) => [name, text])),
  };
  const { values } = parseArgs({ args, options, strict: true, allowPositionals: false });
  const count = (name) => {
    const given = values[name] ?? String(COUNTS[name][values.quick ? "quick" : "full"]);
    if (!/^[1-9]\d{0,8}$/.test(given))
      throw new Error(`--${name} takes a whole number, 1 or more, not ${JSON.stringify(given)}`);
    return Number(given);
  };
  return {
    json: values.json,
    help: values.help,
    rounds: count("rounds"),
    messages: count("messages"),
    rate: count("rate"),
    latencyMessages: count("latency-messages"),
  };
}
