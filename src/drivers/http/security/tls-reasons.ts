import type { SecurityKind } from "./security.ts";

/** What protects the connections of a process, in words. */
const PROTECTION: Readonly<Record<SecurityKind, string>> = {
  none: "no encryption",
  secret: "the option secret",
  certificates: "the option tls",
  pinned: "secure: true",
};

/** The first byte of a TLS record with a handshake in it (RFC 8446, section 5.1). */
export const TLS_HANDSHAKE_BYTE = 0x16;

/** Why a process without encryption refuses one that wants it. */
export const NO_TLS_HERE = "it wants encryption, and this process has none of secret, tls and secure";

/** Why a process with encryption refuses one without it, as the other side is told. */
export function plainRefusal(kind: SecurityKind): string {
  return `only encrypted connections are taken here (${PROTECTION[kind]})`;
}

/** The same as this side says it. */
export function cameInPlain(kind: SecurityKind): string {
  return `it came without encryption, and this process has ${PROTECTION[kind]}`;
}

/** Why TLS with another process failed, as far as OpenSSL's code tells; `undefined` where it is no matter of TLS. */
export function tlsReason(error: Error, kind: SecurityKind): string | undefined {
  const { code = "", reason } = error as { code?: string; reason?: string };
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|BAD_PROTOCOL/.test(code))
    return `it speaks without encryption, and this process has ${PROTECTION[kind]}`;
  if (
    /BAD_RECORD_MAC|DECRYPT_ERROR|DECRYPTION_FAILED|UNKNOWN_PSK_IDENTITY|PSK_IDENTITY_NOT_FOUND|DIGEST_CHECK_FAILED/.test(
      code,
    )
  )
    return kind === "secret" ? "it has another secret" : "its side of the handshake is wrong";
  if (
    /HANDSHAKE_FAILURE|NO_SHARED_CIPHER|WRONG_CIPHER|UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|NO_PROTOCOLS|INSUFFICIENT_SECURITY|WRONG_SSL_VERSION/.test(
      code,
    )
  )
    return `it protects connections in another way, and this process has ${PROTECTION[kind]}`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "its certificate is for another name";
  if (/^(CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|INVALID_|ERROR_IN_|HOSTNAME_MISMATCH)/.test(code))
    return `its certificate is not one that this process trusts (${code})`;
  if (/ALERT/.test(code) && /CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED/.test(code))
    return `it does not trust the certificate of this process (${code})`;
  if (/^ERR_(SSL|TLS)_/.test(code)) return `TLS failed (${reason ?? code})`;
  return undefined;
}
