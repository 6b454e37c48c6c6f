/**
 * Encryption and mutual proof from a secret alone: TLS 1.2 with the one cipher suite `ECDHE-PSK-CHACHA20-POLY1305` (RFC 7905).
 *
 * Why TLS 1.2: a suite of that family has no certificate on either side (RFC 5489, section 2), so that a server cannot take the
 * place of the pre-shared key with one. In TLS 1.3 the server chooses between the two, and Node tells the client of it only
 * afterwards. The exchange of ephemeral keys keeps what was recorded unreadable when the secret gets known later; the suite
 * is an AEAD; and who only listens cannot try secrets, as the key exchange hides what they would be tried on.
 */
import { constants, hkdfSync } from "node:crypto";
import type { ConnectionOptions, TLSSocket, TlsOptions } from "node:tls";
import type { Security } from "./security.ts";

/** The one suite, as OpenSSL names it. */
export const SECRET_CIPHER = "ECDHE-PSK-CHACHA20-POLY1305";

/** What the client calls itself: the same for everybody, so that it tells nothing. */
const IDENTITY = "tidings";

/** What keys are derived for: one secret, and a key of its own for each use (RFC 5869). */
const LABELS = { tls: "tidings/1 tls-psk", proof: "tidings/1 proof" } as const;

const KEY_BYTES = 32;

/** The bytes of the option `secret`. */
export function secretBytes(secret: string | Uint8Array): Uint8Array {
  return typeof secret === "string" ? Buffer.from(secret, "utf8") : Uint8Array.from(secret);
}

/** The key that is derived from a secret for one use. */
export function keyFrom(secret: Uint8Array, use: keyof typeof LABELS): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "tidings", LABELS[use], KEY_BYTES));
}

const common = {
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
  ciphers: SECRET_CIPHER,
  // No second handshake on a connection, and none that stands on an earlier one.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
} as const satisfies TlsOptions & ConnectionOptions;

/** Only processes that know the secret talk to each other, encrypted. */
export function sharedSecret(secret: Uint8Array): Security {
  const psk = keyFrom(secret, "tls");
  const options: ConnectionOptions = {
    ...common,
    pskCallback: () => ({ psk, identity: IDENTITY }),
    // There is no certificate to compare with a name; `verify` makes sure of that.
    checkServerIdentity: () => undefined,
  };
  return {
    kind: "secret",
    proofKey: keyFrom(secret, "proof"),
    provesPeers: true,
    goMicro: "plain",
    metadata: { "tidings-security": "secret" },
    server: { ...common, pskCallback: (_socket, identity) => (identity === IDENTITY ? psk : null) },
    client: async () => ({ options, verify }),
    admits: () => undefined,
  };
}

/** The suite allows nothing else; should a TLS library ever, then this does not. */
function verify(socket: TLSSocket): string | undefined {
  const shown = socket.getPeerX509Certificate();
  const { name } = socket.getCipher();
  return shown === undefined && name === SECRET_CIPHER
    ? undefined
    : "it answers with a certificate in place of the shared secret";
}
