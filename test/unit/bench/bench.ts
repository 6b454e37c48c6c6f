/** What the tests of the bench, which is plain JavaScript, see of it. */

/** Median, smallest and largest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What Tidings did beside somebody. */
export interface Row {
  readonly group: string;
  readonly contestant: string;
  readonly beside: string;
  readonly peer: boolean;
  readonly bodyBytes?: number;
  readonly measure: string;
  readonly own: Spread;
  readonly other: Spread;
  readonly ratio: Spread;
}

/** What the bench found. */
export interface Report {
  readonly date: string;
  readonly environment: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, number>>;
  readonly groups: readonly {
    readonly name: string;
    readonly title: string;
    readonly about?: string;
    readonly rows: readonly Row[];
  }[];
  readonly skipped: Readonly<Record<string, string>>;
}

/** Loads a file of the bench. */
export async function load<T>(file: string): Promise<T> {
  return (await import(new URL(`../../../bench/${file}`, import.meta.url).href)) as T;
}

/** The same figure in every round. */
export function steady(value: number): Spread {
  return { median: value, min: value, max: value };
}

/** A row of which only the ratio matters. */
export function row(measure: string, ratio: Spread, more: Partial<Row> = {}): Row {
  const names = { group: "http", contestant: "http", beside: "raw-tcp", peer: false, bodyBytes: 100 };
  return { ...names, measure, own: ratio, other: steady(1), ratio, ...more };
}

/** A report of one group. */
export function report(rows: readonly Row[], more: Partial<Report> = {}): Report {
  const environment = {
    tidings: "1.2.3",
    node: "v20.19.0",
    system: "linux x64",
    cpu: "A <fast> one",
    cores: 2,
    memoryGiB: 4,
    load: 0.25,
    engines: { "nats-server": "2.9.10" },
    packages: { amqplib: "2.3.1" },
    peers: { amqplib: "0.10.9" },
  };
  return {
    date: "2026-11-22",
    environment,
    options: { rounds: 3, ms: 500, rate: 1_000, latencyMessages: 200, heapMiB: 32 },
    groups: [{ name: "http", title: "HTTP broker", about: "Two processes.", rows }],
    skipped: {},
    ...more,
  };
}
