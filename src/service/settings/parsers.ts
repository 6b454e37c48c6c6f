import { SCHEMES } from "../../schemes.ts";

/** Reads the text of a setting. */
export interface Parser<Value> {
  /** What is allowed, as messages and the documentation say it: "--wire takes …". */
  readonly allowed: string;
  /** The value, or `undefined` for a text that is not allowed. */
  read(text: string): Value | undefined;
}

/** Any text that is not empty. */
export function text(allowed: string): Parser<string> {
  return { allowed, read: (given) => (given === "" ? undefined : given) };
}

/** One of a few words. */
export function oneOf<Word extends string>(...words: readonly Word[]): Parser<Word> {
  return { allowed: listed(words), read: (given) => words.find((word) => word === given) };
}

/** Yes or no. */
export const yesOrNo: Parser<boolean> = {
  allowed: "true or false",
  read: (given) => (given === "true" ? true : given === "false" ? false : undefined),
};

/** One of a few words. Those that a later version is to have are read too: what they stand for refuses them with its own words. */
export function oneOfNow(now: readonly string[], later: readonly string[]): Parser<string> {
  return { allowed: listed(now), read: (given) => [...now, ...later].find((word) => word === given) };
}

/** A whole number of milliseconds. */
export function milliseconds(atLeast: 0 | 1): Parser<number> {
  return { allowed: `a whole number of milliseconds, ${atLeast} or more`, read: (given) => whole(given, 1, atLeast) };
}

/** A whole number of seconds, as go-micro has it; read as milliseconds. */
export function seconds(atLeast: 0 | 1): Parser<number> {
  return { allowed: `a whole number of seconds, ${atLeast} or more`, read: (given) => whole(given, 1_000, atLeast) };
}

/** Pairs such as `zone=a,rack=7`. Of a key given twice the last counts; the value may be empty. */
export const pairs: Parser<Record<string, string>> = {
  allowed: "pairs key=value with commas between",
  read: (given) => {
    const entries = given.split(",").map((pair) => {
      const split = pair.indexOf("=");
      return [pair.slice(0, Math.max(split, 0)).trim(), pair.slice(split + 1).trim()] as const;
    });
    return entries.every(([key]) => key !== "") ? Object.fromEntries(entries) : undefined;
  },
};

/** A broker's name or URL: whatever the table of schemes knows, by the same names as go-micro's. */
export const brokerName: Parser<string> = {
  get allowed() {
    const names = [...new Set(SCHEMES.map(({ name }) => name))];
    const schemes = SCHEMES.map(({ scheme }) => `${scheme}:`);
    return `a broker's name (${listed(names)}) or a URL that begins with ${listed(schemes)}`;
  },
  read: (given) => {
    const prefix = /^([^:]*):/.exec(given)?.[1]?.toLowerCase();
    return SCHEMES.some(({ name, scheme }) => given === name || given === scheme || prefix === scheme)
      ? given
      : undefined;
  },
};

function whole(given: string, factor: number, atLeast: number): number | undefined {
  const value = Number(given);
  if (!/^\d+$/.test(given) || value < atLeast || !Number.isSafeInteger(value * factor)) return undefined;
  return value * factor;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
