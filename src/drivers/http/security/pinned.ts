import { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { loadOptional } from "../../../optional-package.ts";
import type { Node, Registry } from "../../../registry.ts";
import { type Address, formatAddress } from "../address.ts";
import { SERVICE_NAMES } from "../service-names.ts";
import type { PeerTls, Security } from "./security.ts";

/** The package that issues certificates, an optional peer. */
const PACKAGE = {
  name: "selfsigned",
  range: "^5.5.0",
  neededBy: "The option secure of the HTTP broker",
  driver: "http",
};

/** The package that issues certificates, as it is imported: `node:crypto` reads them but cannot make any. */
export type CertificateMaker = typeof import("selfsigned");

/** The key of a record's metadata that holds the SHA-256 of the process's certificate, in hexadecimal. */
export const CERTIFICATE_KEY = "tidings-certificate";

/**
 * TLS 1.3 with a certificate that this process makes for itself. Its fingerprint stands in its record, and each side of a
 * connection compares what the other shows with the record of whom it wants: so this is as safe as the registry.
 * @param proofKey what both sides prove within the encryption
 * @throws BrokerError `ERR_MISSING_DEPENDENCY`
 */
export async function pinned(registry: Registry, proofKey: Uint8Array | undefined): Promise<Security> {
  const { generate } = await loadCertificateMaker();
  const made = await generate([{ name: "commonName", value: "tidings" }], { keyType: "ec", algorithm: "sha256" });
  const [cert, key] = [made.cert, made.private];
  const nodes = async (): Promise<Node[]> =>
    (await registry.getService(SERVICE_NAMES.peers)).flatMap((service) => service.nodes);
  const common = { minVersion: "TLSv1.3", cert, key, rejectUnauthorized: false } as const;
  return {
    kind: "pinned",
    proofKey,
    provesPeers: true,
    goMicro: "plain",
    metadata: { "tidings-security": "pinned", [CERTIFICATE_KEY]: hex(new X509Certificate(cert).fingerprint256) },
    server: { ...common, requestCert: true },
    async client(address: Address): Promise<PeerTls> {
      const text = formatAddress(address);
      const wanted = pinsOf((await nodes()).filter((node) => node.address === text));
      return {
        options: { ...common, servername: "", checkServerIdentity: () => undefined },
        verify: (socket) => mismatch(socket, wanted),
      };
    },
    async admits(socket: Duplex, peerId: string): Promise<string | undefined> {
      return mismatch(socket as TLSSocket, pinsOf((await nodes()).filter(({ id }) => id === peerId)));
    },
  };
}

/**
 * Loads the package that issues certificates.
 * @throws BrokerError `ERR_MISSING_DEPENDENCY`
 */
export async function loadCertificateMaker(
  load: () => Promise<CertificateMaker> = () => import("selfsigned"),
): Promise<CertificateMaker> {
  return loadOptional(PACKAGE, load);
}

function pinsOf(nodes: readonly Node[]): ReadonlySet<string> {
  return new Set(nodes.flatMap(({ metadata }) => metadata[CERTIFICATE_KEY] ?? []));
}

function mismatch(socket: TLSSocket, wanted: ReadonlySet<string>): string | undefined {
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return "it shows no certificate";
  if (wanted.size === 0) return "its record in the registry names no certificate: it may lack secure: true";
  return wanted.has(hex(shown.fingerprint256)) ? undefined : "its certificate is not the one that its record names";
}

/** Without the colons that Node writes. */
function hex(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}
