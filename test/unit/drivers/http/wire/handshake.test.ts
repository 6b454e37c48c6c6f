import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Handshake,
  isChallenge,
  newChallenge,
  proofOf,
  provesSecret,
  readTerms,
  writeTerms,
} from "../../../../../src/drivers/http/wire/handshake.ts";

const secret = randomBytes(32);
const handshake = (): Handshake => ({
  address: "127.0.0.1:7000",
  versions: "1, 2",
  version: "1",
  clientPeer: "c",
  serverPeer: "s",
  clientChallenge: newChallenge(),
  serverChallenge: newChallenge(),
});

describe("a proof", () => {
  test("holds for its own handshake, role and secret", () => {
    const shared = handshake();
    for (const role of ["client", "server"] as const)
      expect(provesSecret(proofOf(secret, role, shared), secret, role, shared)).toBe(true);
  });

  test.each<[string, (shared: Handshake) => Handshake]>([
    ["another address", (shared) => ({ ...shared, address: "127.0.0.1:7001" })],
    ["other versions offered: somebody took one away", (shared) => ({ ...shared, versions: "1" })],
    ["another version chosen", (shared) => ({ ...shared, version: "2" })],
    ["another client", (shared) => ({ ...shared, clientPeer: "x" })],
    ["another server", (shared) => ({ ...shared, serverPeer: "x" })],
    ["another challenge of the client", (shared) => ({ ...shared, clientChallenge: newChallenge() })],
    ["another challenge of the server", (shared) => ({ ...shared, serverChallenge: newChallenge() })],
    [
      "challenges swapped",
      (shared) => ({ ...shared, clientChallenge: shared.serverChallenge, serverChallenge: shared.clientChallenge }),
    ],
  ])("does not hold for %s", (_name, change) => {
    const shared = handshake();
    expect(provesSecret(proofOf(secret, "client", shared), secret, "client", change(shared))).toBe(false);
  });

  test("of one role does not hold for the other, nor with another secret", () => {
    const shared = handshake();
    expect(provesSecret(proofOf(secret, "server", shared), secret, "client", shared)).toBe(false);
    expect(provesSecret(proofOf(secret, "client", shared), randomBytes(32), "client", shared)).toBe(false);
    expect(provesSecret(proofOf(Buffer.alloc(0), "client", shared), secret, "client", shared)).toBe(false);
  });

  test("is nothing but its own 32 bytes", () => {
    const shared = handshake();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (value) => !provesSecret(value, secret, "client", shared)));
    const proof = proofOf(secret, "client", shared);
    for (const wrong of [proof.subarray(1), Buffer.concat([proof, Buffer.of(0)])])
      expect(provesSecret(wrong, secret, "client", shared)).toBe(false);
  });

  test("does not show the secret", () => {
    const shared = handshake();
    expect(proofOf(secret, "client", shared).includes(secret.subarray(0, 4))).toBe(false);
  });
});

describe("a challenge", () => {
  test("is fresh each time", () => {
    const many = Array.from({ length: 100 }, newChallenge);
    expect(new Set(many).size).toBe(100);
    expect(many.every(isChallenge)).toBe(true);
  });

  test.each([[undefined], [""], ["0".repeat(63)], ["0".repeat(65)], ["G".repeat(64)], [["0".repeat(64)]]])(
    "%j is none",
    (value) => expect(isChallenge(value)).toBe(false),
  );
});

describe("terms", () => {
  const terms = { peerId: "a-1", address: "127.0.0.1:7000", maxMessageBytes: 1_048_576, idleMs: 60_000 };

  test("come back as they were", () => {
    expect(readTerms(writeTerms(terms))).toEqual(terms);
    const endless = { ...terms, maxMessageBytes: Number.POSITIVE_INFINITY, idleMs: Number.POSITIVE_INFINITY };
    expect(readTerms(writeTerms(endless))).toEqual(endless);
  });

  test.each([
    ["no peer", { peerId: "" }],
    ["a peer that is no id", { peerId: "A b" }],
    ["no address", { address: "" }],
    ["an address that is none", { address: "nowhere" }],
    ["no room for messages", { maxMessageBytes: 0 }],
    ["a limit that is no number", { maxMessageBytes: Number.NaN }],
    ["no patience", { idleMs: 0 }],
  ])("with %s are none", (_name, change) => {
    expect(readTerms(writeTerms({ ...terms, ...change }))).toBeUndefined();
  });
});
