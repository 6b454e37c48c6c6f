import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { checkServerIdentity, createSecureContext, type TLSSocket, type TlsOptions } from "node:tls";
import { BrokerError, describeError } from "../../../errors.ts";
import type { Address } from "../address.ts";
import type { PeerTls, Security } from "./security.ts";
import type { HttpTlsOptions } from "./tls-options.ts";

/** What TLS with certificates needs, as PEM text. */
interface Material {
  readonly ca: string | undefined;
  readonly cert: string;
  readonly key: string;
}

/**
 * TLS 1.3 with given certificates. With a `ca` both sides must show a certificate that comes from it; without, only the server
 * shows one, which Node's own authorities must have signed.
 * @param proofKey what both sides prove within the encryption
 * @throws BrokerError `ERR_INVALID_OPTION` for files that cannot be read, and what is no certificate or key
 */
export async function certificates(tls: HttpTlsOptions, proofKey: Uint8Array | undefined): Promise<Security> {
  const material = await load(tls);
  const { ca, cert, key } = material;
  const isMutual = ca !== undefined;
  const authority = isMutual ? { ca } : {};
  const server: TlsOptions = {
    minVersion: "TLSv1.3",
    cert,
    key,
    ...authority,
    requestCert: isMutual,
    // Looked at when the peer says who it is: Node would end the connection without a word.
    rejectUnauthorized: false,
  };
  return {
    kind: "certificates",
    proofKey,
    provesPeers: isMutual || proofKey !== undefined,
    goMicro: isMutual ? "mutual-tls" : "tls",
    metadata: { "tidings-security": isMutual ? "mutual-tls" : "tls" },
    server,
    client: async ({ host }: Address): Promise<PeerTls> => ({
      options: {
        minVersion: "TLSv1.3",
        ...(isMutual ? { cert, key } : {}),
        ...authority,
        servername: serverNameFor(tls.serverName ?? host),
        checkServerIdentity: (_host, shown) => checkServerIdentity(tls.serverName ?? host, shown),
      },
      verify: (socket) => (socket.authorized ? undefined : "its certificate is not trusted"),
    }),
    admits: (socket: Duplex) => (isMutual ? Promise.resolve(unproved(socket as TLSSocket)) : undefined),
  };
}

/** The name to ask the server for; addresses must not stand there (RFC 6066, section 3). */
function serverNameFor(host: string): string {
  return isIP(host) === 0 ? host : "";
}

function unproved(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  if (socket.getPeerX509Certificate() === undefined) return "it shows no certificate";
  return `its certificate is not one that this process trusts (${String(socket.authorizationError)})`;
}

async function load(tls: HttpTlsOptions): Promise<Material> {
  const [ca, cert, key] = await Promise.all([
    read("caFile", tls.ca, tls.caFile),
    read("certFile", tls.cert, tls.certFile),
    read("keyFile", tls.key, tls.keyFile),
  ]);
  if (cert === undefined || key === undefined) throw invalid("The option tls needs a certificate and its key.");
  const material = { ca, cert, key };
  try {
    for (const pem of [ca, cert]) if (pem !== undefined) new X509Certificate(pem);
    createSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) });
  } catch (error) {
    // What OpenSSL says names the kind of mistake and shows nothing of the key.
    throw invalid(`The option tls does not hold certificates and a key that belong together: ${reasonOf(error)}.`);
  }
  return material;
}

function reasonOf(error: unknown): string {
  const { reason, code } = error as { reason?: unknown; code?: unknown };
  return String(reason ?? code ?? "unknown reason");
}

async function read(option: string, text: string | undefined, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return text;
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw invalid(`The file of tls.${option} cannot be read: ${describeError(error)}`);
  }
}

function invalid(message: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", message, { driver: "http" });
}
