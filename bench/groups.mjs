// Who is compared with whom: each group has a broker of Tidings, and what does the same work beside it.

import { GROWTH_NAMES } from "./growth/measure.mjs";

/** For groups with many processes: one size is enough, unless everything is asked for. */
const ONE_SIZE = [1024];

/**
 * The processor time that a node takes for a message of 64 KiB swings between 350 and 1,100 microseconds from one second to the next,
 * whoever publishes; why was not found out. Runs of two seconds differ much less than those of half a second.
 */
export const RABBITMQ_LONGER = 4;

/**
 * The groups. `ours` takes its turn before each round of the others; `beside` are the yardsticks, which the project has
 * itself; `peers` are installed by hand. `engine`: what is started for the group. `bodyBytes`: the sizes without `--full`, where
 * they are not all. `longerWhenLarge`: how many times longer a throughput run takes with bodies of 64 KiB, where a
 * short one would show how the engine happened to be.
 */
export const GROUPS = [
  {
    name: "memory-1",
    title: "Memory broker, one subscriber",
    about: "In one process; the handlers are the same async functions.",
    ours: "memory-1",
    beside: ["promise-all-1", "promise-all-own-body-1", "event-emitter-1"],
    peers: ["emittery-1"],
  },
  {
    name: "memory-10",
    title: "Memory broker, ten subscribers",
    about: "In one process; the handlers are the same async functions.",
    ours: "memory-10",
    beside: ["promise-all-10", "promise-all-own-body-10", "event-emitter-10"],
    peers: ["emittery-10"],
  },
  {
    name: "memory-queue-4",
    title: "Memory broker, a queue of four",
    about: "In one process; four handlers share one queue, or take turns.",
    ours: "memory-queue-4",
    beside: ["promise-all-queue-4"],
    peers: [],
    bodyBytes: ONE_SIZE,
  },
  {
    name: "http",
    title: "HTTP broker",
    about: "Between two processes, without a server.",
    ours: "http",
    beside: ["undici-post", "raw-tcp"],
    peers: ["moleculer", "nest-tcp", "axon", "go-micro"],
  },
  {
    name: "http-10",
    title: "HTTP broker, ten subscribers",
    about: "Ten receiving processes; a message counts when all ten have handled it.",
    ours: "http-10",
    beside: ["undici-post-10", "raw-tcp-10"],
    peers: [],
    bodyBytes: ONE_SIZE,
  },
  {
    name: "http-queue-4",
    title: "HTTP broker, a queue of four",
    about: "Four receiving processes share one queue, or take turns.",
    ours: "http-queue-4",
    beside: ["undici-post-4", "raw-tcp-4"],
    peers: [],
    bodyBytes: ONE_SIZE,
  },
  {
    name: "nats-core",
    title: "Core NATS",
    about: "At most once, through a private nats-server.",
    engine: "nats",
    ours: "nats-core",
    beside: ["nats-core-raw"],
    peers: ["nest-nats", "moleculer-nats"],
  },
  {
    name: "nats-core-10",
    title: "Core NATS, ten subscribers",
    about: "Ten receiving processes; a message counts when all ten have it.",
    engine: "nats",
    ours: "nats-core-10",
    beside: ["nats-core-raw-10"],
    peers: [],
    bodyBytes: ONE_SIZE,
  },
  {
    name: "nats-core-queue-4",
    title: "Core NATS, a queue of four",
    about: "Four receiving processes in one queue group.",
    engine: "nats",
    ours: "nats-core-queue-4",
    beside: ["nats-core-raw-queue-4"],
    peers: [],
    bodyBytes: ONE_SIZE,
  },
  {
    name: "jetstream",
    title: "JetStream",
    about: "At least once, through a private nats-server that writes to files.",
    engine: "jetstream",
    ours: "jetstream",
    beside: ["jetstream-raw"],
    peers: ["moleculer-channels"],
  },
  {
    name: "jetstream-10",
    title: "JetStream, ten subscribers",
    about: "Ten receiving processes with a consumer each; a message counts when all ten have it.",
    engine: "jetstream",
    ours: "jetstream-10",
    beside: ["jetstream-raw-10"],
    peers: [],
    bodyBytes: ONE_SIZE,
  },
  {
    name: "jetstream-queue-4",
    title: "JetStream, a queue of four",
    about: "Four receiving processes share one consumer.",
    engine: "jetstream",
    ours: "jetstream-queue-4",
    beside: ["jetstream-raw-queue-4"],
    peers: [],
    bodyBytes: ONE_SIZE,
  },
  {
    name: "rabbitmq",
    title: "RabbitMQ",
    about: "At least once, through a private node: a quorum queue, persistent messages, publisher confirms.",
    engine: "rabbitmq",
    ours: "rabbitmq",
    beside: ["rabbitmq-raw"],
    peers: ["nest-rabbitmq"],
    longerWhenLarge: RABBITMQ_LONGER,
  },
  {
    name: "rabbitmq-10",
    title: "RabbitMQ, ten subscribers",
    about: "Ten receiving processes with a classic, durable queue each; a message counts when all ten have it.",
    engine: "rabbitmq",
    ours: "rabbitmq-10",
    beside: ["rabbitmq-raw-10"],
    peers: [],
    longerWhenLarge: RABBITMQ_LONGER,
    bodyBytes: ONE_SIZE,
  },
  {
    name: "rabbitmq-queue-4",
    title: "RabbitMQ, a queue of four",
    about: "Four receiving processes share one quorum queue.",
    engine: "rabbitmq",
    ours: "rabbitmq-queue-4",
    beside: ["rabbitmq-raw-queue-4"],
    peers: [],
    longerWhenLarge: RABBITMQ_LONGER,
    bodyBytes: ONE_SIZE,
  },
];

/** Everybody of a group, ours first. */
export function membersOf({ ours, beside, peers }) {
  return [ours, ...beside, ...peers];
}

/** What is measured without contestants. */
export const OTHERS = ["storage", "start"];

/**
 * The groups that are asked for by their names or by those of their members: then a group's own broker and its yardsticks take
 * part with those members. Without `only`, all with everybody.
 * @throws {Error} for a name that nobody has
 */
export function chosenGroups(only, { peers = true } = {}) {
  const known = new Set([...OTHERS, ...GROWTH_NAMES, ...GROUPS.flatMap((group) => [group.name, ...membersOf(group)])]);
  const unknown = only?.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new Error(`--only knows no ${JSON.stringify(unknown)}: there are ${[...known].join(", ")}`);
  return GROUPS.map((group) => {
    const wanted = only?.includes(group.name) === false ? (name) => only.includes(name) : () => true;
    return { ...group, chosen: membersOf(group).some(wanted), peers: peers ? group.peers.filter(wanted) : [] };
  }).filter(({ chosen }) => chosen);
}
