import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Peer, type PeerHost } from "../../../../src/drivers/http/peer.ts";
import { ReceivingSubscriptions } from "../../../../src/drivers/http/receiving-subscriptions.ts";
import { unprotected } from "../../../../src/drivers/http/security/open-security.ts";
import { Turn } from "../../../../src/drivers/http/wire/turn.ts";
import { WireConnection } from "../../../../src/drivers/http/wire/wire-connection.ts";
import type { BrokerError } from "../../../../src/errors.ts";
import { Outbox } from "../../../../src/outbox/outbox.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { anyStream, cutUp } from "./wire/streams.ts";

const TERMS = { peerId: "other", address: "127.0.0.1:1", maxMessageBytes: 1_000, idleMs: 60_000 };

/** A side of the wire without a network: what the other side says is pushed in. */
function open() {
  const clock = new FakeClock();
  const errors: BrokerError[] = [];
  const outbox = new Outbox({
    clock,
    maxMessages: 1_000,
    maxBytes: 1_000_000,
    maxAgeMs: 1e9,
    whenFull: "reject",
    keepsUnwanted: true,
    onGiveUp: () => {},
  });
  const subscriptions = new ReceivingSubscriptions(clock);
  subscriptions.add({
    id: "s",
    pattern: "a.>",
    queue: "q",
    prefetch: 4,
    ackTimeoutMs: 30_000,
    maxAttempts: 5,
    deliver: (delivery) => {
      // A handler that looks at everything, and settles.
      expect(delivery.id.length + (delivery.key?.length ?? 0) + delivery.body.length).toBeGreaterThanOrEqual(0);
      expect(Object.getPrototypeOf(delivery.header)).toBeNull();
      void delivery.settle({ kind: "ack" });
    },
    onEnd: () => {},
  });
  const host: PeerHost = {
    own: {
      terms: { ...TERMS, peerId: "own" },
      secret: undefined,
      clock,
      security: unprotected(undefined),
      turn: new Turn(),
      handshakeTimeoutMs: 5_000,
      refused: () => {},
    },
    connected: 1,
    outbox,
    subscriptions,
    adopt: () => {},
    renewSecret: () => Promise.resolve(),
    answer: async () => null,
    onError: (error) => errors.push(error),
    onGone: () => {},
  };
  const peer = new Peer("other", TERMS.address, host);
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const connection = new WireConnection(socket, TERMS, false, 5_000, host.own);
  peer.attach(connection);
  connection.start(peer, Buffer.alloc(0));
  return { peer, socket, connection, outbox, clock };
}

/** Bytes in the form of frames, some of them changed. */
const mutated = fc
  .tuple(
    anyStream,
    fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat({ max: 255 })), { maxLength: 6 }),
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  )
  .map(([bytes, changes, cuts]) => {
    const changed = Buffer.from(bytes);
    for (const [place, value] of changes) changed[Math.floor(place * changed.length)] = value;
    return cutUp(changed, cuts);
  });

test("whatever a peer says, in form or not, costs its connection at most: 10,000 streams", { timeout: 120_000 }, () => {
  let violations = 0;
  for (const pieces of fc.sample(mutated, { numRuns: 10_000, seed: 2_026 })) {
    const { peer, socket, connection, outbox } = open();
    // Straight to its listener: a stream's own queue would need a turn for each.
    for (const piece of pieces) socket.emit("data", piece);
    if (connection.closed) violations += 1;
    connection.flush();
    // Nothing that a peer says makes this side owe anything to anybody.
    expect(outbox.messages).toBe(0);
    peer.close();
  }
  expect(violations).toBeGreaterThan(1_000);
  expect(violations).toBeLessThan(10_000);
});
