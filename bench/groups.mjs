// Who is compared with whom: each group has a broker of Tidings, and what does the same work beside it.

/**
 * The groups. `ours` takes its turn before each round of the others; `beside` are the yardsticks, which the project has
 * itself; `peers` are installed by hand. `engine`: what is started for the group.
 */
export const GROUPS = [
  {
    name: "memory-1",
    title: "Memory broker, one subscriber",
    about: "In one process; the handlers are the same async functions.",
    ours: "memory-1",
    beside: ["promise-all-1"],
    peers: ["emittery-1"],
  },
  {
    name: "memory-10",
    title: "Memory broker, ten subscribers",
    about: "In one process; the handlers are the same async functions.",
    ours: "memory-10",
    beside: ["promise-all-10"],
    peers: ["emittery-10"],
  },
  {
    name: "http",
    title: "HTTP broker",
    about: "Between two processes, without a server.",
    ours: "http",
    beside: ["undici-post", "raw-tcp"],
    peers: ["moleculer", "nest-tcp", "axon"],
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
    name: "jetstream",
    title: "JetStream",
    about: "At least once, through a private nats-server that writes to files.",
    engine: "jetstream",
    ours: "jetstream",
    beside: ["jetstream-raw"],
    peers: ["moleculer-channels"],
  },
  {
    name: "rabbitmq",
    title: "RabbitMQ",
    about: "At least once, through a private node: a quorum queue, persistent messages, publisher confirms.",
    engine: "rabbitmq",
    ours: "rabbitmq",
    beside: ["rabbitmq-raw"],
    peers: ["nest-rabbitmq"],
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
  const known = new Set([...OTHERS, ...GROUPS.flatMap((group) => [group.name, ...membersOf(group)])]);
  const unknown = only?.find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new Error(`--only knows no ${JSON.stringify(unknown)}: there are ${[...known].join(", ")}`);
  return GROUPS.map((group) => {
    const wanted = only?.includes(group.name) === false ? (name) => only.includes(name) : () => true;
    return { ...group, chosen: membersOf(group).some(wanted), peers: peers ? group.peers.filter(wanted) : [] };
  }).filter(({ chosen }) => chosen);
}
