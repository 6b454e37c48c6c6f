// Records what go-micro peers really send, as test data: one file for each version, with nothing in it of the machine.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startEngine } from "./engines.mjs";
import { GoPeer, VERSIONS } from "./peers.mjs";
import { recordMdns } from "./record-mdns.mjs";
import { httpSink, natsSink, rabbitmqSink } from "./sinks.mjs";
import { until } from "./wait.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = join(ROOT, "test/fixtures/go-micro");

/** What the peers are asked to send. `content` is what a program hands over, as base64: a body, an order as JSON, or a text. */
const GIVEN = [
  {
    level: "broker",
    topic: "transcript.raw",
    header: { "Content-Type": "application/octet-stream", "X-Odd name ü": '<välue> & "more" \u2028 \\ \t', empty: "" },
    content: Buffer.from([0, 1, 254, 255]).toString("base64"),
  },
  { level: "broker", topic: "transcript.empty", header: { "lower.case_1": "1" }, content: "" },
  {
    level: "json",
    topic: "transcript.json",
    type: "application/json",
    header: { Foo: "bar", "X-Request-Id": "r-1 ü" },
    content: base64('{"id":7,"text":"order <7> & \\"ü\\" \u2028","data":"BwD/"}'),
  },
  {
    level: "protobuf",
    topic: "transcript.protobuf",
    type: "application/protobuf",
    header: { Foo: "bar" },
    content: base64("text 7 ü\u0000"),
  },
];

/** What a client of version 2 writes by default: it talks gRPC. */
const GRPC = { ...GIVEN[3], topic: "transcript.grpc", type: "application/grpc+proto" };

/** How often a message is sent anew, by a new peer, where go-micro did not find its subscriber in its 100 ms. */
const TRIES = 5;

/** How long a message may take, in milliseconds. */
const ARRIVAL_MS = 5_000;

const SINKS = { http: httpSink, nats: natsSink, rabbitmq: rabbitmqSink };

/** Records every version that was built and asked for. Returns the exit status. */
export async function record({ version }) {
  const asked = VERSIONS.filter(({ name }) => version?.includes(name) ?? true);
  const built = asked.filter(({ variable }) => process.env[variable]);
  const transcripts = built.map((peer) => ({ peer, transcript: {} }));
  for (const { peer, transcript } of transcripts) Object.assign(transcript, await recordMdns(peer));
  for (const transport of Object.keys(SINKS)) {
    const engine = await startEngine(transport);
    if (engine.reason !== undefined) throw new Error(engine.reason);
    try {
      for (const { peer, transcript } of transcripts) {
        if (peer.lacks?.[transport] !== undefined) continue;
        transcript[transport] = await recordMessages(peer, transport, engine.address);
      }
    } finally {
      await engine.stop();
    }
  }
  mkdirSync(FOLDER, { recursive: true });
  for (const { peer, transcript } of transcripts) {
    const path = join(FOLDER, `${peer.name}.json`);
    writeFileSync(path, `${JSON.stringify(transcript, null, 2)}\n`);
    console.log(`interop: recorded go-micro ${peer.name}`);
  }
  const biome = join(ROOT, "node_modules/.bin/biome");
  return spawnSync(biome, ["format", "--write", FOLDER], { cwd: ROOT, stdio: "inherit" }).status ?? 1;
}

async function recordMessages(version, transport, address) {
  const messages = [...GIVEN, ...(version.name === "v2.9" ? [GRPC] : [])];
  const possible = messages.filter(({ level }) => version.lacks?.[level] === undefined);
  const topics = possible.map(({ topic }) => topic);
  const sink = await SINKS[transport](address, topics, version.oldWire === true);
  const recorded = [];
  try {
    for (const given of possible) {
      console.log(`interop: recording ${version.name} ${transport} ${given.topic}`);
      recorded.push({ given, sent: await recordOne(version, transport, address, given, sink) });
    }
  } finally {
    await sink.end();
  }
  return recorded;
}

async function recordOne(version, transport, address, given, sink) {
  for (let attempt = 1; ; attempt += 1) {
    const peer = await sendingPeer(version, transport, address);
    try {
      await send(peer, given);
      return await until(() => sink.take(given.topic), `${given.topic} arrived`, ARRIVAL_MS);
    } catch (error) {
      if (attempt === TRIES) throw error;
    } finally {
      await peer.end();
    }
  }
}

async function sendingPeer(version, transport, address) {
  const scheme = { nats: "nats", rabbitmq: "amqp" }[transport];
  const where = scheme === undefined ? [] : ["-address", `${scheme}://${address}`];
  const peer = new GoPeer(process.env[version.variable], ["-broker", transport, ...where]);
  await peer.ready;
  return peer;
}

async function send(peer, { level, topic, type, header, content }) {
  if (level === "broker") {
    await peer.do({ do: "connect" });
    return peer.do({ do: "publish", topic, header, bodies: [content] });
  }
  await peer.do({ do: "service", name: "transcript.sender", version: "1" });
  await peer.do({ do: "start" });
  return peer.do({ do: "send", topic, type, header, bodies: [content] });
}

function base64(text) {
  return Buffer.from(text).toString("base64");
}
