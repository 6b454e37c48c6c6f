import type { Duplex } from "node:stream";
import type { ConnectionOptions, TLSSocket, TlsOptions } from "node:tls";
import type { Address } from "../address.ts";

/** How the connections between processes are protected. */
export type SecurityKind = "none" | "secret" | "certificates" | "pinned";

/** TLS towards one peer. */
export interface PeerTls {
  readonly options: ConnectionOptions;
  /** Why the other side is not trusted, looked at before anything is sent to it; `undefined` if it is. */
  verify(socket: TLSSocket): string | undefined;
}

/**
 * How the connections of one broker are protected, as its own options decide. What a record of the registry or a peer says
 * never changes it: a peer that does it another way is refused.
 */
export interface Security {
  readonly kind: SecurityKind;
  /** What both sides prove by HMAC, within the encryption where there is some; `undefined`: nothing. */
  readonly proofKey: Uint8Array | undefined;
  /** Whether a process needs to prove something before it is let in. */
  readonly provesPeers: boolean;
  /**
   * How go-micro peers are served, who have no proof but a certificate: over TLS, where `mutual-tls` lets in only those whose
   * certificate is trusted, or plainly. What is plain has a door of its own where the other one is encrypted.
   */
  readonly goMicro: "plain" | "tls" | "mutual-tls";
  /** What the record of this process tells of it, so that people can see it. */
  readonly metadata: Readonly<Record<string, string>>;
  /** TLS of the server; `undefined`: none. */
  readonly server: TlsOptions | undefined;
  /** TLS towards a peer; `undefined`: none. Rejects with what stands in the way. */
  client(address: Address): Promise<PeerTls> | undefined;
  /** Resolves with why the process on an accepted connection is not let in. `undefined`: nothing to look at here. */
  admits(socket: Duplex, peerId: string): Promise<string | undefined> | undefined;
}
