import { readFileSync } from "node:fs";
import { BrokerError } from "../../errors.ts";
import type { Ranked } from "./broker-target.ts";

/** PEM text for TLS, as the option `tls` of every driver that has TLS takes it. */
export interface TlsTexts {
  ca?: string;
  cert?: string;
  key?: string;
}

/**
 * Reads the files that settings name.
 * @returns `undefined` when none is named
 * @throws BrokerError `ERR_INVALID_OPTION` for one that cannot be read
 */
export function readTlsFiles(
  files: Readonly<Record<keyof TlsTexts, Ranked<string> | undefined>>,
): TlsTexts | undefined {
  const texts: TlsTexts = {};
  for (const name of ["ca", "cert", "key"] as const) {
    const file = files[name];
    if (file !== undefined) texts[name] = textOf(file);
  }
  return Object.keys(texts).length === 0 ? undefined : texts;
}

function textOf({ source, value }: Ranked<string>): string {
  try {
    return readFileSync(value, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw new BrokerError("ERR_INVALID_OPTION", `${source} names a file that cannot be read (${reason}): ${value}.`);
  }
}
