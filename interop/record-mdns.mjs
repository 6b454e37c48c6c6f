// What a go-micro peer says by multicast DNS: packets as they came, beside the record that it was given.
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import packet from "dns-packet";
import { GoPeer } from "./peers.mjs";
import { until } from "./wait.mjs";

const GROUP = "224.0.0.251";
const PORT = 5_353;

/** How long a packet may take before what brings it is done again, in milliseconds, and how often. */
const ARRIVAL_MS = 3_000;
const TRIES = 5;

/** The record that a peer registers: every part of it is there. Names of members are those of Go's encoder. */
const SERVICE = {
  name: "transcript.greeter",
  version: "1.2.3",
  metadata: null,
  endpoints: [
    {
      name: "Handlers.First",
      request: {
        name: "Order",
        type: "Order",
        values: [
          { name: "id", type: "int64", values: null },
          { name: "text", type: "string", values: null },
        ],
      },
      response: null,
      metadata: { subscriber: "true", topic: "greetings" },
    },
  ],
  nodes: [
    {
      id: "transcript.greeter-1",
      address: "127.0.0.1:7002",
      metadata: { broker: "http", protocol: "mucp", registry: "mdns", server: "mucp", transport: "http" },
    },
  ],
};

/** The packets of one version. */
export async function recordMdns(version) {
  const ear = await listen();
  const peer = new GoPeer(process.env[version.variable], ["-broker", "http", "-address", "127.0.0.1:0"]);
  try {
    const goMicro = await peer.ready;
    const name = SERVICE.name;
    await peer.do({ do: "register", service: SERVICE });
    const announcement = await ear.heard(isAnnouncement(name), "the announcement");
    const probe = await ear.heard(isProbe(name), "the probe");
    const query = await ear.heard(isQuery(`${name}.micro`), "the question", () => peer.services(name));
    const listQuery = await ear.heard(isQuery("_services.micro"), "the question for the list", () => peer.services());
    const answer = await ear.asked(`${name}.micro`);
    const listAnswer = await ear.asked("_services.micro");
    const service = await until(async () => (await peer.services(name))[0], "the peer found its own record");
    await peer.do({ do: "connect" });
    await peer.do({ do: "subscribe", id: "s1", topic: "transcript.topic", queue: "transcript.queue" });
    const broker = version.oldWire ? "go.micro.http.broker" : "micro.http.broker";
    const subscription = await ear.asked(`${broker}.micro`);
    const subscriber = await until(async () => (await peer.services(broker))[0], "the peer found its subscription");
    await peer.do({ do: "deregister", service: SERVICE });
    const goodbye = await ear.heard(isGoodbye(name), "the goodbye");
    const packets = { probe, announcement, goodbye, query, answer, listQuery, listAnswer, subscription };
    const encoded = Object.entries(packets).map(([kind, bytes]) => [kind, bytes.toString("base64")]);
    return { goMicro, mdns: { service, subscriber, packets: Object.fromEntries(encoded) } };
  } finally {
    await peer.end();
    ear.close();
  }
}

async function listen() {
  const packets = [];
  const answers = [];
  const group = await open(PORT, (bytes) => packets.push(bytes));
  const ways = Object.values(networkInterfaces()).flatMap((all) => all.filter(({ family }) => family === "IPv4"));
  for (const { address } of ways) group.addMembership(GROUP, address);
  const own = await open(0, (bytes) => answers.push(bytes));
  // go-micro does not listen on loopback.
  own.setMulticastInterface(ways.find(({ internal }) => !internal).address);
  const first = async (heap, matches, what, cause) => {
    for (let attempt = 1; ; attempt += 1) {
      await cause?.();
      try {
        return await until(() => heap.find((bytes) => matches(packet.decode(bytes))), `${what} came`, ARRIVAL_MS);
      } catch (error) {
        if (cause === undefined || attempt === TRIES) throw error;
      }
    }
  };
  return {
    /** The first packet to the group that matches; `cause` brings it about. */
    heard: (matches, what, cause) => first(packets, matches, what, cause),
    /** The answer to a question for a name, as it came to the port that asked. */
    asked: (name) => {
      const question = packet.encode({ type: "query", id: 0x1234, questions: [{ type: "PTR", class: "IN", name }] });
      // Version 1.18 does not echo the question.
      const matches = ({ type, answers: told }) => type === "response" && told[0]?.name === name;
      return first(answers, matches, `the answer for ${name}`, () => own.send(question, PORT, GROUP));
    },
    close() {
      group.close();
      own.close();
    },
  };
}

function open(port, onPacket) {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.on("message", onPacket);
  return new Promise((resolve) => socket.bind(port, () => resolve(socket)));
}

const isAnnouncement = (name) => (read) => tells(read, name) && read.answers[0].ttl > 0;
const isGoodbye = (name) => (read) => tells(read, name) && read.answers[0].ttl === 0;
const isProbe = (name) => (read) => read.type === "query" && read.authorities[0]?.name.endsWith(`.${name}.micro`);
const isQuery = (name) => (read) =>
  read.type === "query" && read.questions[0]?.name === name && read.authorities.length === 0;

function tells({ type, questions, answers }, name) {
  return type === "response" && questions.length === 0 && (answers[0]?.name.endsWith(`.${name}.micro`) ?? false);
}
