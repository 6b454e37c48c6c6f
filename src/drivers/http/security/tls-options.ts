import { check, checkOptions } from "../../../check-options.ts";
import { BrokerError } from "../../../errors.ts";

/** Certificates of the HTTP broker: PEM text, or files that hold it. Each process is a server and a client with the same ones. */
export interface HttpTlsOptions {
  /** The authority that every peer's certificate must come from, on both sides of each connection. Default: see `docs/security.md`. */
  ca?: string;
  caFile?: string;
  /** This process's certificate, with its chain, and its key. Both are needed. */
  cert?: string;
  certFile?: string;
  key?: string;
  keyFile?: string;
  /** The name that every peer's certificate must be for. Default: the host that the peer is reached at. */
  serverName?: string;
}

const hidden = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? undefined : "a string that is not empty";

const table: Readonly<Record<keyof HttpTlsOptions, (value: unknown) => string | undefined>> = {
  ca: hidden,
  caFile: check.text,
  cert: hidden,
  certFile: check.text,
  key: hidden,
  keyFile: check.text,
  serverName: check.text,
};

/**
 * Checks the option `tls`.
 * @throws BrokerError `ERR_INVALID_OPTION`, which shows no key
 */
export function checkTlsOptions(tls: HttpTlsOptions): void {
  const { ca, cert, key, ...shown } = tls;
  checkOptions(shown, table, "tls");
  for (const [name, value] of Object.entries({ ca, cert, key }))
    if (value !== undefined && hidden(value) !== undefined)
      throw invalid(`The option tls.${name} is not ${hidden(value)}.`);
  for (const [name, file] of [
    ["ca", "caFile"],
    ["cert", "certFile"],
    ["key", "keyFile"],
  ] as const)
    if (tls[name] !== undefined && tls[file] !== undefined)
      throw invalid(`The options tls.${name} and tls.${file} are both given: leave one of them out.`);
  if (tls.cert === undefined && tls.certFile === undefined) throw invalid(needed("cert", "certFile"));
  if (tls.key === undefined && tls.keyFile === undefined) throw invalid(needed("key", "keyFile"));
}

function needed(name: string, file: string): string {
  return `The HTTP broker with tls needs tls.${name} or tls.${file}: each process is a server too. For a generated certificate there is secure: true.`;
}

function invalid(message: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", message, { driver: "http" });
}
