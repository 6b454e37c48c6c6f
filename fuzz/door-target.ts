import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { createBroker } from "../src/create-broker.ts";
import { parseAddress } from "../src/drivers/http/address.ts";
import { http } from "../src/drivers/http/index.ts";
import { secretBytes, sharedSecret } from "../src/drivers/http/security/shared-secret.ts";
import { openSocket } from "../src/drivers/http/wire/socket.ts";
import type { BrokerError } from "../src/errors.ts";
import { silentLogger } from "../src/logger.ts";
import { memory } from "../src/registries/memory.ts";
import { cut, mutate } from "./mutate.ts";
import { type FuzzOutcome, inBatches, openSockets, socketsLeft } from "./outcome.ts";
import { Random } from "./random.ts";
import { FuzzStream } from "./stream.ts";

/** Connections at a time. */
const BATCH = 150;

/** How long a fuzzed client waits for an answer before it ends its side, in milliseconds. */
const ANSWER_MS = 50;

const SECRET = "a secret that the fuzzer does not use";

/** Fuzzes the door of a broker with a secret: first bytes of TLS, of HTTP and of both mixed, from clients that do not know it. */
export async function fuzzEncryptedDoor(inputs: number, seed: number): Promise<FuzzOutcome> {
  const before = openSockets();
  const registry = memory();
  const options = {
    onError: (_error: BrokerError) => {},
    logger: silentLogger,
    drainTimeoutMs: 1_000,
    acceptTimeoutMs: 50,
  };
  const secured = { registry, secret: SECRET, limits: { handshakeTimeoutMs: 1_000 } };
  const broker = createBroker(http(secured), options);
  const healthy = createBroker(http(secured), options);
  await broker.connect();
  await healthy.connect();
  const heard: string[] = [];
  await broker.subscribe("fuzz.door", (delivery) => void heard.push(delivery.text()));
  const hello = await clientHello();
  const plain = Buffer.from(`GET /_tidings/wire HTTP/1.1\r\nHost: ${broker.address}\r\nUpgrade: tidings\r\n\r\n`);
  const failures: string[] = [];
  let [delivered, refused, rounds] = [0, 0, 0];

  const run = async (index: number) => {
    const random = new Random((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
    const first = random.chance(80) ? hello : plain;
    const stream = new FuzzStream(broker.address);
    const input = Buffer.concat([
      mutate(random, first, plain),
      random.chance(30) ? random.bytes(random.below(300)) : plain.subarray(0, 0),
    ]);
    for (const piece of cut(random, input)) {
      stream.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stream.until((came) => (came.length > 0 ? true : undefined), ANSWER_MS);
    if (stream.came.length > 0) refused += 1;
    if (stream.came.includes("HTTP/1.1 101")) failures.push(`input ${index}: the wire was opened`);
    if (!(await stream.end())) failures.push(`input ${index}: the connection never ended`);
  };

  const after = async () => {
    rounds += 1;
    await healthy.publish("fuzz.door", { body: `healthy ${rounds}` });
    const giveUpAt = Date.now() + 30_000;
    while (heard.length === 0 && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 1));
    if (heard.splice(0).join() !== `healthy ${rounds}`)
      failures.push(`round ${rounds}: not just the good message arrived`);
    else delivered += 1;
  };

  const heapGrowth = await inBatches(inputs, BATCH, run, after);
  if (broker.status !== "connected") failures.push(`the broker is ${broker.status}`);
  for (const one of [healthy, broker]) await one.disconnect();
  return { inputs, delivered, refused, failures, heapGrowth, socketsLeft: await socketsLeft(before) };
}

/** What a client with a secret says first. */
async function clientHello(): Promise<Buffer> {
  let taken: (bytes: Buffer) => void = () => {};
  const bytes = new Promise<Buffer>((resolve) => {
    taken = resolve;
  });
  const server = createServer((socket: Socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk: Buffer) => {
      taken(chunk);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const opening = openSocket(parseAddress(`127.0.0.1:${port}`), sharedSecret(secretBytes(SECRET)));
  await opening.done.catch(() => {});
  server.close();
  return bytes;
}
