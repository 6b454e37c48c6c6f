/**
 * Mutual proof of a shared secret on one connection, without sending it: each side answers the other's fresh challenge with
 * an HMAC over both challenges, its role and the address dialled. The address keeps an impostor on another port from passing
 * the challenge on to a real peer.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

const CHALLENGE_BYTES = 32;

/** What both sides know of one handshake. */
export interface Handshake {
  /** The address that the client dialled, as the server advertises it. */
  readonly address: string;
  readonly clientChallenge: string;
  readonly serverChallenge: string;
}

/** A fresh challenge, in hexadecimal. */
export function newChallenge(): string {
  return randomBytes(CHALLENGE_BYTES).toString("hex");
}

/** Whether a value has the form of a challenge. */
export function isChallenge(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

/** What one side sends to prove that it knows the secret. */
export function proofOf(
  secret: Uint8Array,
  role: "client" | "server",
  { address, clientChallenge, serverChallenge }: Handshake,
): string {
  return createHmac("sha256", secret)
    .update(`tidings/1 ${role}\n${address}\n${clientChallenge}\n${serverChallenge}`)
    .digest("hex");
}

/** Whether a proof is the right one. Takes the same time for any wrong one. */
export function provesSecret(
  proof: unknown,
  secret: Uint8Array,
  role: "client" | "server",
  handshake: Handshake,
): boolean {
  if (typeof proof !== "string" || !/^[0-9a-f]{64}$/.test(proof)) return false;
  return timingSafeEqual(Buffer.from(proof, "hex"), Buffer.from(proofOf(secret, role, handshake), "hex"));
}
