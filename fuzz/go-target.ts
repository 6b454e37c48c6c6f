import { createBroker } from "../src/create-broker.ts";
import { http } from "../src/drivers/http/index.ts";
import { SERVICE_NAMES } from "../src/drivers/http/service-names.ts";
import type { BrokerError } from "../src/errors.ts";
import { silentLogger } from "../src/logger.ts";
import { memory } from "../src/registries/memory.ts";
import { GO_TOPIC, goInput } from "./go-inputs.ts";
import { cut } from "./mutate.ts";
import { type FuzzOutcome, inBatches, openSockets, socketsLeft } from "./outcome.ts";
import { Random } from "./random.ts";
import { FuzzStream } from "./stream.ts";

/** Connections at a time. */
const BATCH = 150;

/** How long a fuzzed publisher waits for an answer before it ends its side, in milliseconds. */
const ANSWER_MS = 200;

/** What a handler saw, and what an input may have meant, as a text. */
type Seen = string;

/**
 * Fuzzes go-micro's wire: a real broker, and publishers over TCP whose requests are changed at random. What a handler gets
 * must stand whole in one of the requests, read by `JSON.parse` alone.
 */
export async function fuzzGoMicro(inputs: number, seed: number): Promise<FuzzOutcome> {
  const before = openSockets();
  const registry = memory();
  const options = {
    onError: (_error: BrokerError) => {},
    logger: silentLogger,
    drainTimeoutMs: 1_000,
    acceptTimeoutMs: 50,
  };
  const limits = { headersTimeoutMs: 2_000, requestTimeoutMs: 2_000 };
  const broker = createBroker(http({ registry, wire: "go-micro", limits }), options);
  await broker.connect();
  const heard: Seen[] = [];
  await broker.subscribe(GO_TOPIC, ({ message }) => void heard.push(seen(message.header, Buffer.from(message.body))), {
    concurrency: 20_000,
  });
  const [service] = await registry.getService(SERVICE_NAMES.goMicro);
  const nodeId = service?.nodes[0]?.id ?? "";
  const possible = new Set<Seen>();
  const failures: string[] = [];
  let [delivered, refused, rounds] = [0, 0, 0];

  const run = async (index: number) => {
    const random = new Random((seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
    const input = goInput(random, `${index}`, broker.address, nodeId);
    for (const one of envelopesIn(input)) possible.add(one);
    const stream = new FuzzStream(broker.address);
    for (const piece of cut(random, input)) {
      stream.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const status = await stream.until((came) => statusIn(came), ANSWER_MS);
    if (status !== undefined && status !== 200) refused += 1;
    if (!(await stream.end())) failures.push(`input ${index}: the connection never ended`);
  };

  const after = async () => {
    rounds += 1;
    const body = Buffer.from(`healthy ${rounds}`);
    const header = { "Micro-Topic": GO_TOPIC, "Micro-Id": `healthy-${rounds}` };
    const text = JSON.stringify({ Header: header, Body: body.toString("base64") });
    const stream = new FuzzStream(broker.address);
    stream.write(
      Buffer.from(
        `POST /?id=${nodeId} HTTP/1.1\r\nHost: ${broker.address}\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      ),
    );
    const wanted = seen(header, body);
    const giveUpAt = Date.now() + 30_000;
    while (!heard.includes(wanted) && Date.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 1));
    if (!heard.includes(wanted)) failures.push(`round ${rounds}: a whole message did not arrive`);
    if (!(await stream.end())) failures.push(`round ${rounds}: a good connection never ended`);
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
  await broker.disconnect().catch((error: BrokerError) => {
    if (error.code !== "ERR_UNDELIVERED") failures.push(`disconnecting failed: ${error.message}`);
  });
  return { inputs, delivered, refused, failures, heapGrowth, socketsLeft: await socketsLeft(before) };
}

function seen(header: Readonly<Record<string, string>>, body: Buffer): Seen {
  const pairs = Object.keys(header)
    .sort()
    .map((name) => [name, header[name]]);
  return JSON.stringify([pairs, body.toString("base64")]);
}

function statusIn(came: Buffer): number | undefined {
  const match = /^HTTP\/1\.1 (\d{3})/.exec(came.subarray(0, 32).toString("latin1"));
  return match === null ? undefined : Number(match[1]);
}

/**
 * Every envelope that an input may hold: text from a brace behind a blank line up to a brace, which JSON takes. Chunks are
 * joined first where there are some.
 */
function envelopesIn(input: Buffer): Seen[] {
  const found: Seen[] = [];
  const latin = input.toString("latin1");
  for (let at = latin.indexOf("{"); at !== -1; at = latin.indexOf("{", at + 1)) {
    for (const text of new Set([input.subarray(at), Buffer.from(unchunked(latin.slice(at)), "latin1")].map(String))) {
      const one = envelopeOf(text);
      if (one !== undefined) found.push(...one);
    }
    // Braces within an envelope begin no other one that is sent.
    const next = latin.indexOf("\r\n\r\n", at);
    if (next === -1) break;
    at = next;
  }
  return found;
}

/** Without what chunked encoding puts between pieces of a body. */
function unchunked(text: string): string {
  return text.replace(/\r\n[0-9a-f]+[^\r\n]*\r\n/gi, "");
}

/** The longest beginning of a text that is an envelope, in each way that its body may be written. */
function envelopeOf(text: string): Seen[] | undefined {
  for (let end = text.lastIndexOf("}"); end > 0; end = text.lastIndexOf("}", end - 1)) {
    let value: unknown;
    try {
      value = JSON.parse(text.slice(0, end + 1));
    } catch {
      // It ends at another brace, or nowhere.
      continue;
    }
    const header: Record<string, string> = Object.create(null);
    const bodies: Buffer[] = [Buffer.alloc(0)];
    for (const [name, held] of Object.entries(value as object)) {
      if (/^header$/i.test(name) && held !== null)
        for (const [key, one] of Object.entries(held as object))
          header[key.toWellFormed()] = String(one ?? "").toWellFormed();
      if (!/^body$/i.test(name)) continue;
      if (Array.isArray(held)) bodies.push(Buffer.from(held as number[]));
      else if (typeof held === "string") bodies.push(Buffer.from(held, "base64"));
    }
    return bodies.map((body) => seen(header, body));
  }
  return undefined;
}
