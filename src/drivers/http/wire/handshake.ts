/**
 * Mutual proof of a shared secret on one connection, without sending it: each side answers the other's fresh challenge with
 * an HMAC over both challenges, its role, and all that the two told each other. The address dialled, which is part of it,
 * keeps an impostor on another port from passing a challenge on to a real peer; the versions offered keep anybody between
 * them from choosing an older one. On an encrypted connection a value that only its two ends know is part of it too.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { parseAddress } from "../address.ts";
import type { Terms } from "./wire-connection.ts";

const CHALLENGE_BYTES = 32;

/** The protocol's name in the `Upgrade` header. */
export const WIRE_PROTOCOL = "tidings";

/** The path of the request that opens a connection. */
export const WIRE_PATH = "/_tidings/wire";

/** Headers of the request that opens a connection, and of its answer. */
export const HANDSHAKE_HEADERS = {
  versions: "tidings-versions",
  peer: "tidings-peer",
  address: "tidings-address",
  maxMessageBytes: "tidings-max-message-bytes",
  idleMs: "tidings-idle-ms",
  challenge: "tidings-challenge",
  proof: "tidings-proof",
} as const;

/** What keys of an encrypted connection are exported for (RFC 5705), and their length in bytes. */
const CHANNEL = { label: "EXPORTER-tidings-1", bytes: 32 } as const;

/** What both sides know of one handshake. */
export interface Handshake {
  /** The address that the client dialled, as the server advertises it. */
  readonly address: string;
  /** The versions that the client offered, and the one that the server chose. */
  readonly versions: string;
  readonly version: string;
  readonly clientPeer: string;
  readonly serverPeer: string;
  readonly clientChallenge: string;
  readonly serverChallenge: string;
  /** What only the two ends of this encrypted connection know; `undefined` without encryption. */
  readonly channel?: string | undefined;
}

/**
 * What only the two ends of an encrypted connection know, in hexadecimal: with it a proof is worth nothing to somebody between
 * them who has a connection with each.
 */
export function channelOf(socket: Duplex): string | undefined {
  const { encrypted } = socket as Partial<TLSSocket>;
  if (encrypted !== true) return undefined;
  // The context is not used, which Node wants as an empty one.
  return (socket as TLSSocket).exportKeyingMaterial(CHANNEL.bytes, CHANNEL.label, Buffer.alloc(0)).toString("hex");
}

/** A fresh challenge, in hexadecimal. */
export function newChallenge(): string {
  return randomBytes(CHALLENGE_BYTES).toString("hex");
}

/** Whether a value has the form of a challenge. */
export function isChallenge(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

/** What one side sends to prove that it knows the secret: 32 bytes. */
export function proofOf(secret: Uint8Array, role: "client" | "server", handshake: Handshake): Buffer {
  const { address, versions, version, clientPeer, serverPeer, clientChallenge, serverChallenge, channel } = handshake;
  const lines = [address, versions, version, clientPeer, serverPeer, clientChallenge, serverChallenge];
  if (channel !== undefined) lines.push(channel);
  return createHmac("sha256", secret)
    .update([`tidings/1 ${role}`, ...lines].join("\n"))
    .digest();
}

/** Whether a proof is the right one. Takes the same time for any wrong one. */
export function provesSecret(
  proof: Uint8Array,
  secret: Uint8Array,
  role: "client" | "server",
  handshake: Handshake,
): boolean {
  const wanted = proofOf(secret, role, handshake);
  return proof.length === wanted.length && timingSafeEqual(proof, wanted);
}

/** The headers in which a side tells its terms. */
export function writeTerms({ peerId, address, maxMessageBytes, idleMs }: Terms): Record<string, string> {
  return {
    [HANDSHAKE_HEADERS.peer]: peerId,
    [HANDSHAKE_HEADERS.address]: address,
    [HANDSHAKE_HEADERS.maxMessageBytes]: String(maxMessageBytes),
    [HANDSHAKE_HEADERS.idleMs]: String(idleMs),
  };
}

/** Reads the other side's terms; `undefined` where they are missing or malformed. */
export function readTerms(headers: IncomingHttpHeaders): Terms | undefined {
  const peerId = headers[HANDSHAKE_HEADERS.peer];
  const address = headers[HANDSHAKE_HEADERS.address];
  const maxMessageBytes = Number(headers[HANDSHAKE_HEADERS.maxMessageBytes]);
  const idleMs = Number(headers[HANDSHAKE_HEADERS.idleMs]);
  if (typeof peerId !== "string" || !/^[a-z0-9-]{1,63}$/.test(peerId) || typeof address !== "string") return undefined;
  if (!(maxMessageBytes >= 1) || !(idleMs > 0)) return undefined;
  try {
    parseAddress(address);
  } catch {
    // Not host:port: nobody can be reached there.
    return undefined;
  }
  return { peerId, address, maxMessageBytes, idleMs };
}
