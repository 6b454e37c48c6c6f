import { readFileSync } from "node:fs";
import { BrokerError } from "./errors.ts";

/** Variables of an environment. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A secret from a variable, or from the file that another variable names, without one line break at its end.
 * @returns `undefined` when neither is set
 * @throws BrokerError `ERR_INVALID_OPTION` when both are, and for a file that cannot be read, is no text or is empty. The error
 * shows neither content nor path: where the two variables are mixed up, the path is the secret.
 */
export function secretFrom(env: Environment, variable: string, fileVariable: string): string | undefined {
  const path = env[fileVariable];
  if (!path) return env[variable] || undefined;
  if (env[variable]) throw invalid(`${variable} and ${fileVariable} are both set: leave one of them out.`);
  const secret = textOf(path, fileVariable).replace(/\r?\n$/, "");
  if (secret === "") throw invalid(`${fileVariable} names a file that is empty.`);
  return secret;
}

function textOf(path: string, fileVariable: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    throw invalid(`${fileVariable} names a file that cannot be read (${reason}).`);
  }
  // Text that is only nearly UTF-8 would lose bytes, and peers that read it another way would not be understood.
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid(`${fileVariable} names a file that is not text in UTF-8.`);
  }
}

function invalid(message: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", message);
}
