// The bench's flags.
import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run bench -- [--quick | --full] [--json] [--rounds N] [--ms N] [--rate N] [--latency-messages N]
                        [--heap-mib N] [--in-flight N] [--only NAME,...] [--no-peers] [--html FILE] [--docs]
                        [--check] [--write-baseline]

  --quick               fewer rounds, shorter runs
  --full                more rounds, longer runs, every size with many subscribers too, growth through engines too;
                        about an hour, where the default takes about fifteen minutes with engines and peers
  --json                print one line of JSON
  --rounds N            how often each contestant runs, taking turns (default 3; quick 2, full 5)
  --ms N                how long a throughput run takes at least, in milliseconds (default 500; quick 200, full 1000)
  --rate N              deliveries a second of a latency run (default 1000); a tenth of it for bodies of 64 KiB
  --latency-messages N  deliveries of a latency run (default 1000; quick 300, full 5000); a tenth for bodies of 64 KiB
  --heap-mib N          what each process that sends or receives holds beside, in MiB (default 32); 1 is an almost empty process
  --in-flight N         publishes under way at once, of everybody but go-micro (default: as each section says)
  --only NAME,...       these groups, or contestants with those that they are compared with; "growth" is how the cost
                        grows with the work, "growth-http" and the like that of one broker, also through engines
  --no-peers            without what is installed by hand
  --html FILE           writes a page with charts, which needs nothing else
  --docs                writes docs/performance.md and its charts; the whole bench only
  --check               compares the ratios with bench/baseline.json, without peers; status 1 where one is clearly worse
  --write-baseline      writes bench/baseline.json; the whole bench only`;

const COUNTS = {
  rounds: { usual: 3, quick: 2, full: 5 },
  ms: { usual: 500, quick: 200, full: 1_000 },
  rate: { usual: 1_000, quick: 1_000, full: 1_000 },
  "latency-messages": { usual: 1_000, quick: 300, full: 5_000 },
  "heap-mib": { usual: 32, quick: 32, full: 32 },
};

/** Reads the flags; throws an error that says what is wrong with them. */
export function readArguments(args) {
  const text = { type: "string" };
  const flag = { type: "boolean", default: false };
  const options = {
    quick: flag,
    full: flag,
    json: flag,
    html: text,
    docs: flag,
    check: flag,
    "write-baseline": flag,
    "no-peers": flag,
    help: { ...flag, short: "h" },
    only: text,
    "in-flight": text,
    ...Object.fromEntries(Object.keys(COUNTS).map((name) => [name, text])),
  };
  const { values } = parseArgs({ args, options, strict: true, allowPositionals: false });
  if (values.quick && values.full) throw new Error("--quick and --full are two different runs");
  if (values.docs && values["no-peers"]) throw new Error("--docs takes the whole bench: no --no-peers");
  for (const whole of ["docs", "write-baseline", "check"])
    for (const part of whole === "check" ? ["in-flight"] : ["only", "in-flight"])
      if (values[whole] && values[part] !== undefined)
        throw new Error(`--${whole} takes the whole bench as it is: no --${part}`);
  const profile = ["quick", "full"].find((name) => values[name]) ?? "usual";
  const count = (name) => {
    const given = values[name] ?? String(COUNTS[name]?.[profile]);
    if (!/^[1-9]\d{0,8}$/.test(given))
      throw new Error(`--${name} takes a whole number, 1 or more, not ${JSON.stringify(given)}`);
    return Number(given);
  };
  return {
    json: values.json,
    html: values.html,
    docs: values.docs,
    check: values.check,
    writeBaseline: values["write-baseline"],
    peers: !values["no-peers"] && !values.check,
    help: values.help,
    only: values.only?.split(","),
    full: values.full,
    rounds: count("rounds"),
    ms: count("ms"),
    rate: count("rate"),
    latencyMessages: count("latency-messages"),
    heapMiB: count("heap-mib"),
    ...(values["in-flight"] === undefined ? {} : { inFlight: count("in-flight") }),
  };
}
