// What grows: the curves, with the work of each of their points.

/** Deliveries of messages that are under way at once, at most, and messages. */
const [MOST_DELIVERIES, MOST_MESSAGES] = [50_000, 2_000];

const KIBIBYTE = 1024;
const MEBIBYTE = KIBIBYTE ** 2;
const USUAL_BYTES = 100;

/** What the goals of the project allow: how many times the cost of the first point a delivered message may cost. */
const GOAL = 1.5;

const EVERYBODY = ["memory", "http", "nats-core", "jetstream", "rabbitmq"];

/**
 * The curves by name. `counts`: what the number of a point is of; `points`: those numbers, the first of which the others are
 * compared with; `about`: what a reader must know; `most`: the largest point of a broker that has not all; `brokers`: who can do it; `goal`: what the largest
 * point is to cost at most, on the HTTP broker, in costs of the first. `work` says of a point what is subscribed, by pattern
 * and options, in each of `processes` receiving processes (one); what `topic` the nth message goes to; how many `deliveries` it
 * has (one); its `bodyBytes` (100); how many are `inFlight` at once; and how many messages a member finds `waiting` when it comes, where it comes late.
 */
export const CURVES = {
  subscriptions: {
    title: "Subscriptions to one topic, in one process",
    about:
      "In flight are as many messages as have 50,000 deliveries, at most 2,000. The same holds for all curves; bodies have 100 bytes where nothing else is said.",
    counts: "subscriptions",
    points: [1, 10, 100, 1_000],
    brokers: ["memory", "http", "nats-core"],
    goal: GOAL,
    work: (count) => ({ subscriptions: repeated(count, () => ["bench", {}]), topic: () => "bench", deliveries: count }),
  },
  "one-topic": {
    title: "One topic among others that are subscribed to",
    counts: "topics",
    points: [1, 100, 1_000, 10_000],
    brokers: ["memory", "http", "nats-core"],
    goal: GOAL,
    work(count) {
      const middle = nth("bench.", Math.floor(count / 2));
      return { subscriptions: repeated(count, (n) => [nth("bench.", n), {}]), topic: () => middle };
    },
  },
  topics: {
    title: "Topics that take turns, each with a subscription",
    counts: "topics",
    points: [1, 100, 1_000, 10_000],
    brokers: ["memory", "http", "nats-core"],
    work: (count) => ({
      subscriptions: repeated(count, (n) => [nth("bench.", n), {}]),
      topic: (n) => nth("bench.", n % count),
    }),
  },
  patterns: {
    title: "Patterns, one of which matches",
    counts: "patterns",
    points: [1, 10, 100, 1_000],
    brokers: ["memory", "http", "nats-core"],
    work: (count) => ({
      subscriptions: repeated(count, (n) => [`*.${nth("kind", n)}.>`, {}]),
      topic: (n) => `bench.${nth("kind", n % count)}.created`,
    }),
  },
  members: {
    title: "Members of one queue, in one process",
    counts: "members",
    points: [1, 2, 4, 8, 16],
    brokers: EVERYBODY,
    work: (count) => ({
      subscriptions: repeated(count, () => ["bench", { queue: "bench" }]),
      topic: () => "bench",
    }),
  },
  processes: {
    title: "Receiving processes, each of which gets every message",
    counts: "processes",
    points: [1, 2, 4, 8],
    brokers: EVERYBODY.filter((name) => name !== "memory"),
    work: (count) => ({
      processes: count,
      subscriptions: [["bench", {}]],
      topic: () => "bench",
      deliveries: count,
    }),
  },
  "in-flight": {
    title: "Publishes under way at once",
    counts: "publishes",
    points: [1, 10, 100, 1_000, 10_000],
    brokers: EVERYBODY,
    work: (count) => ({ subscriptions: [["bench", {}]], topic: () => "bench", inFlight: count }),
  },
  backlog: {
    title: "Messages that wait for a member",
    about:
      "It comes when all are there, and handles them. Its coming and going are part of it: with one message that waits they are nearly all that it costs, so that the first point is the dearest.",
    counts: "messages",
    points: [1, 100, 1_000, 10_000, 100_000],
    most: { jetstream: 10_000, rabbitmq: 10_000 },
    brokers: EVERYBODY.filter((name) => name !== "nats-core"),
    work: (count) => ({ subscriptions: [["bench", { queue: "bench" }]], topic: () => "bench", waiting: count }),
  },
  size: {
    title: "Bytes of a body",
    counts: "bytes",
    points: [USUAL_BYTES, KIBIBYTE, 10 * KIBIBYTE, 100 * KIBIBYTE, MEBIBYTE],
    // A whole mebibyte is more than a NATS server takes with its header.
    most: { "nats-core": 100 * KIBIBYTE, jetstream: 100 * KIBIBYTE },
    brokers: EVERYBODY,
    work: (bodyBytes) => ({ subscriptions: [["bench", {}]], topic: () => "bench", bodyBytes }),
  },
};

/** The points of a curve for a broker. */
export function pointsOf(curve, broker) {
  const { points, most = {} } = CURVES[curve];
  return points.filter((count) => count <= (most[broker] ?? Number.POSITIVE_INFINITY));
}

/**
 * The work of a point, complete, with the messages that are under way at once with small bodies. Its topics are its own: on an
 * engine the points of a curve are beside each other.
 */
export function workOf(curve, point) {
  const given = { processes: 1, deliveries: 1, bodyBytes: USUAL_BYTES, waiting: 0, ...CURVES[curve].work(point) };
  const own = (topic) => `${curve}-${point}.${topic}`;
  return {
    inFlight: Math.min(MOST_MESSAGES, Math.ceil(MOST_DELIVERIES / given.deliveries)),
    ...given,
    subscriptions: given.subscriptions.map(([pattern, options]) => [own(pattern), options]),
    topic: (n) => own(given.topic(n)),
  };
}

function repeated(count, of) {
  return Array.from({ length: count }, (_, n) => of(n));
}

function nth(name, n) {
  return `${name}${n}`;
}
