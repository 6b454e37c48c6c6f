import { createHash, randomUUID } from "node:crypto";
import { createBroker } from "../src/create-broker.ts";
import { http } from "../src/drivers/http/index.ts";
import {
  HANDSHAKE_HEADERS,
  newChallenge,
  proofOf,
  WIRE_PATH,
  WIRE_PROTOCOL,
  writeTerms,
} from "../src/drivers/http/wire/handshake.ts";
import type { BrokerError } from "../src/errors.ts";
import { silentLogger } from "../src/logger.ts";
import { memory } from "../src/registries/memory.ts";
import { cut } from "./mutate.ts";
import { type FuzzOutcome, inBatches, openSockets, socketsLeft } from "./outcome.ts";
import { Random } from "./random.ts";
import { FuzzStream } from "./stream.ts";
import { TOPICS, wireInput } from "./wire-inputs.ts";
import { fingerprint, messagesIn } from "./wire-messages.ts";

/** Connections at a time. */
const BATCH = 150;

/** How long a peer waits for what must come, and for what may come after what it did, in milliseconds. */
const WAIT_MS = { must: 10_000, may: 100 } as const;

/** Where fuzzed peers say that they listen: nobody does. */
const NOWHERE = "127.0.0.1:1";

const GRANT = 0x14;

/** What the broker takes: few of the messages that peers send have more, in bytes. */
const MAX_MESSAGE_BYTES = 70;

/**
 * Fuzzes the wire between Tidings processes: a real broker, and hand-made peers over TCP whose requests, proofs and frames are
 * changed at random.
 */
export async function fuzzWire(inputs: number, seed: number): Promise<FuzzOutcome> {
  const before = openSockets();
  const registry = memory();
  const secret = (await registry.secret?.()) as Uint8Array;
  const options = {
    onError: (_error: BrokerError) => {},
    logger: silentLogger,
    drainTimeoutMs: 1_000,
    acceptTimeoutMs: 50,
  };
  const broker = createBroker(http({ registry, backlogAgeMs: 2_000 }), {
    ...options,
    maxMessageBytes: MAX_MESSAGE_BYTES,
  });
  await broker.connect();
  const heard: string[] = [];
  await broker.subscribe(
    TOPICS.heard,
    ({ id, topic, attempt, message, key }) => {
      heard.push(
        fingerprint({
          id,
          topic,
          key,
          attempt,
          header: message.header,
          body: Buffer.from(message.body).toString("base64"),
        }),
      );
    },
    { concurrency: 20_000, maxAttempts: 1_000 },
  );
  const healthy = createBroker(http({ registry }), options);
  await healthy.connect();
  const possible = new Set<string>();
  const failures: string[] = [];
  let [delivered, refused, rounds] = [0, 0, 0];

  const run = async (index: number) => {
    const random = new Random((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
    const input = wireInput(random, `${index}`);
    const stream = new FuzzStream(broker.address);
    const [challenge, clientPeer] = [newChallenge(), randomUUID()];
    const head = requestHead(broker.address, clientPeer, challenge);
    stream.write(input.request?.(head) ?? head);
    const answer = await stream.until(answerIn, input.request === undefined ? WAIT_MS.must : WAIT_MS.may);
    if (answer?.status === 101) {
      const { headers } = answer;
      const proof = proofOf(input.isProved ? secret : Buffer.alloc(32), "client", {
        address: broker.address,
        versions: "1",
        version: "1",
        clientPeer,
        serverPeer: headers.get(HANDSHAKE_HEADERS.peer) ?? "",
        clientChallenge: challenge,
        serverChallenge: headers.get(HANDSHAKE_HEADERS.challenge) ?? "",
      });
      const proofFrame = Buffer.concat([Buffer.from([proof.length + 1, 0, 0, 0, 1]), proof]);
      if (input.isProved)
        for (const message of messagesIn(Buffer.concat([input.opening, input.frames]), MAX_MESSAGE_BYTES))
          possible.add(fingerprint(message));
      stream.write(Buffer.concat([proofFrame, input.opening]));
      const isGranted = (came: Buffer) => (hasFrame(came.subarray(answer.end), GRANT) ? true : undefined);
      await stream.until(isGranted, input.isProved && input.isOpening ? WAIT_MS.must : WAIT_MS.may);
      for (const piece of cut(random, input.frames)) {
        stream.write(piece);
        // Another turn, so that pieces arrive as pieces now and then.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    if (answer === undefined || answer.status !== 101) refused += 1;
    if (!(await stream.end())) failures.push(`input ${index}: the connection never ended`);
  };

  const after = async () => {
    rounds += 1;
    // What the fuzzed peers may have wanted, and a message of a process that behaves.
    void broker.publish(TOPICS.told, { body: `${rounds}` }).catch(() => {});
    const id = `healthy-${rounds}`;
    const body = createHash("sha256").update(id).digest();
    await healthy.publish(TOPICS.heard, { body }, { id });
    const wanted = fingerprint({
      id,
      topic: TOPICS.heard,
      key: undefined,
      attempt: 1,
      header: {},
      body: body.toString("base64"),
    });
    const giveUpAt = Date.now() + 30_000;
    while (!heard.includes(wanted) && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 1));
    if (!heard.includes(wanted)) failures.push(`round ${rounds}: a message of a healthy process did not arrive`);
    for (const one of heard) {
      if (one === wanted) continue;
      delivered += 1;
      if (!possible.has(one)) failures.push(`round ${rounds}: a broken message was delivered: ${one}`);
    }
    heard.length = 0;
    possible.clear();
  };

  const heapGrowth = await inBatches(inputs, BATCH, run, after);
  if (broker.status !== "connected") failures.push(`the broker is ${broker.status}`);
  for (const one of [healthy, broker])
    await one.disconnect().catch((error: BrokerError) => {
      if (error.code !== "ERR_UNDELIVERED") failures.push(`disconnecting failed: ${error.message}`);
    });
  return { inputs, delivered, refused, failures, heapGrowth, socketsLeft: await socketsLeft(before) };
}

function requestHead(address: string, peerId: string, challenge: string): Buffer {
  const headers: Record<string, string> = {
    Host: address,
    Connection: "Upgrade",
    Upgrade: WIRE_PROTOCOL,
    [HANDSHAKE_HEADERS.versions]: "1",
    ...writeTerms({ peerId, address: NOWHERE, maxMessageBytes: 100_000, idleMs: 60_000 }),
    [HANDSHAKE_HEADERS.challenge]: challenge,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET ${WIRE_PATH} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

function answerIn(came: Buffer): { status: number; headers: Map<string, string>; end: number } | undefined {
  const end = came.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [first = "", ...lines] = came.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  return { status: Number(first.split(" ")[1]), headers, end: end + 4 };
}

function hasFrame(bytes: Buffer, type: number): boolean {
  for (let at = 0; at + 5 <= bytes.length; at += 4 + bytes.readUInt32LE(at)) if (bytes[at + 4] === type) return true;
  return false;
}
