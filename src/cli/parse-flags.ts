import { BrokerError } from "../errors.ts";

/** Reads a whole number that is 1 or more. */
export function wholeNumber(flag: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= 1) return value;
    throw wrong(flag, "a whole number, 1 or more", text);
  };
}

/** Reads a number of messages a second: more than 0, also a fraction. */
export function rate(flag: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d*\.?\d+$/.test(text) && Number.isFinite(value) && value > 0) return value;
    throw wrong(flag, "a number of messages a second, more than 0", text);
  };
}

/** Reads a number of milliseconds, 0 or more. */
export function milliseconds(flag: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw wrong(flag, "a whole number of milliseconds", text);
  };
}

/** Collects `name=value` headers; a name given twice is an error. */
export function collectHeader(
  text: string,
  earlier: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const split = text.indexOf("=");
  if (split < 1) throw wrong("--header", "name=value", text);
  const name = text.slice(0, split);
  if (earlier !== undefined && Object.hasOwn(earlier, name)) {
    throw new BrokerError("ERR_INVALID_OPTION", `The header ${JSON.stringify(name)} is given twice.`);
  }
  const header: Record<string, string> = Object.assign(Object.create(null), earlier);
  header[name] = text.slice(split + 1);
  return header;
}

function wrong(flag: string, wanted: string, text: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", `${flag} takes ${wanted}, not ${JSON.stringify(text)}.`);
}
