import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Handshake,
  isChallenge,
  newChallenge,
  proofOf,
  provesSecret,
} from "../../../../src/drivers/http/handshake.ts";

const secret = randomBytes(32);
const handshake = (): Handshake => ({
  address: "127.0.0.1:7000",
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

  test("is nothing that is not 64 hexadecimal digits", () => {
    const shared = handshake();
    fc.assert(fc.property(fc.anything(), (value) => !provesSecret(value, secret, "client", shared)));
    const proof = proofOf(secret, "client", shared);
    for (const wrong of [proof.toUpperCase(), `${proof} `, proof.slice(1), `${proof}0`, [proof]]) {
      expect(provesSecret(wrong, secret, "client", shared)).toBe(false);
    }
  });

  test("does not show the secret", () => {
    const shared = handshake();
    expect(proofOf(secret, "client", shared)).not.toContain(secret.toString("hex").slice(0, 8));
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
