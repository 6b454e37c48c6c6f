// Who takes part: the two sides of each, loaded in processes of their own.

/** Handlers at once in a receiver, and messages that an engine hands it before it acknowledges. */
export const CONCURRENCY = 256;

/** Messages that a receiver of the HTTP broker holds, those whose handlers run among them. */
export const PREFETCH = 1_024;

/** Publishes that are under way at once within one process: fewer than {@link CONCURRENCY}, so that everybody runs as many handlers at once. */
const IN_PROCESS = 64;

const HANDLERS_ALONE =
  "no queue, no limit on handlers at once, no retry, no copy of the body: a handler that fails or is slow is its sender's trouble";
const OWN_BODIES =
  "no queue, no limit on handlers at once, no retry: a handler that fails or is slow is its sender's trouble";
const FORGOTTEN =
  "no queue, no limit on handlers at once, no retry, no copy of the body: nobody hears how a handler ended";

/**
 * The contestants by name. `inFlight`: publishes, or requests, that are under way at once. `waitsFor`: when a send counts as
 * done. `less`: what it does not promise that the Tidings broker of its group does. `receivers`: receiving processes, one unless
 * said otherwise; `shared`: whether each message goes to one of them, not to all.
 */
export const CONTESTANTS = {
  "memory-1": {
    inFlight: IN_PROCESS,
    waitsFor: "every subscription has the message in its queue",
    load: async () => (await import("./contestants/memory.mjs")).withOne,
  },
  "promise-all-1": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers have ended",
    less: HANDLERS_ALONE,
    load: async () => (await import("./contestants/promise-all.mjs")).withOne,
  },
  "promise-all-own-body-1": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers have ended",
    less: OWN_BODIES,
    load: async () => (await import("./contestants/promise-all.mjs")).ownWithOne,
  },
  "event-emitter-1": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers were called",
    less: FORGOTTEN,
    load: async () => (await import("./contestants/event-emitter.mjs")).withOne,
  },
  "emittery-1": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers have ended",
    less: HANDLERS_ALONE,
    load: async () => (await import("./peers/emittery.mjs")).withOne,
  },
  "memory-10": {
    inFlight: IN_PROCESS,
    waitsFor: "every subscription has the message in its queue",
    load: async () => (await import("./contestants/memory.mjs")).withTen,
  },
  "promise-all-10": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers have ended",
    less: HANDLERS_ALONE,
    load: async () => (await import("./contestants/promise-all.mjs")).withTen,
  },
  "promise-all-own-body-10": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers have ended",
    less: OWN_BODIES,
    load: async () => (await import("./contestants/promise-all.mjs")).ownWithTen,
  },
  "event-emitter-10": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers were called",
    less: FORGOTTEN,
    load: async () => (await import("./contestants/event-emitter.mjs")).withTen,
  },
  "emittery-10": {
    inFlight: IN_PROCESS,
    waitsFor: "the handlers have ended",
    less: HANDLERS_ALONE,
    load: async () => (await import("./peers/emittery.mjs")).withTen,
  },
  "memory-queue-4": {
    inFlight: IN_PROCESS,
    waitsFor: "the queue has the message",
    load: async () => (await import("./contestants/memory.mjs")).inQueue,
  },
  "promise-all-queue-4": {
    inFlight: IN_PROCESS,
    waitsFor: "the handler whose turn it is has ended",
    less: `${HANDLERS_ALONE}; whose turn it is gets the message, busy or not`,
    load: async () => (await import("./contestants/promise-all.mjs")).inTurn,
  },
  http: {
    inFlight: 2_000,
    waitsFor: "the receiving process has the message",
    load: () => import("./contestants/http.mjs"),
  },
  "undici-post": {
    inFlight: 64,
    waitsFor: "the response",
    less: "no retry, no queue, no discovery, no limit on what waits",
    load: () => import("./contestants/undici-post.mjs"),
  },
  "http-10": {
    inFlight: 2_000,
    waitsFor: "all ten processes have the message",
    receivers: 10,
    load: () => import("./contestants/http.mjs"),
  },
  "undici-post-10": {
    inFlight: 64,
    waitsFor: "the responses of all ten, to which it is posted at once",
    less: "no retry, no queue, no discovery, no limit on what waits",
    receivers: 10,
    load: async () => (await import("./contestants/undici-post.mjs")).toEach,
  },
  "http-queue-4": {
    inFlight: 2_000,
    waitsFor: "the process of a member has the message",
    receivers: 4,
    shared: true,
    load: async () => (await import("./contestants/http.mjs")).inQueue,
  },
  "undici-post-4": {
    inFlight: 64,
    waitsFor: "the response of that of the four whose turn it is",
    less: "no retry, no queue, no discovery, no limit on what waits: whose turn it is gets the message, busy or not",
    receivers: 4,
    shared: true,
    load: async () => (await import("./contestants/undici-post.mjs")).inTurn,
  },
  "raw-tcp": {
    inFlight: 2_000,
    waitsFor: "one acknowledgement for all that came together",
    less: "no promise for a single message: no id, no header, no retry, no queue",
    load: () => import("./contestants/raw-tcp.mjs"),
  },
  "raw-tcp-10": {
    inFlight: 2_000,
    waitsFor: "one acknowledgement of each of the ten for all that came together",
    less: "no promise for a single message: no id, no header, no retry, no queue",
    receivers: 10,
    load: async () => (await import("./contestants/raw-tcp.mjs")).toEach,
  },
  "raw-tcp-4": {
    inFlight: 2_000,
    waitsFor: "one acknowledgement for all that came together",
    less: "no promise for a single message: no id, no header, no retry, no queue; whose turn it is gets the message, busy or not",
    receivers: 4,
    shared: true,
    load: async () => (await import("./contestants/raw-tcp.mjs")).inTurn,
  },
  moleculer: {
    inFlight: 2_000,
    waitsFor: "the action has ended",
    less: "no retry and no queue as set here: what is under way when a process dies is lost",
    load: () => import("./peers/moleculer.mjs"),
  },
  axon: {
    inFlight: 2_000,
    waitsFor: "the handler has answered",
    less: "no retry, no time limit, no discovery",
    load: () => import("./peers/axon.mjs"),
  },
  "go-micro": {
    inFlight: 2,
    waitsFor:
      "the receiver has said, beside the broker, that its handler was called: a publish itself waits for nothing",
    less: "no answer to the publisher, no retry, no queue that lasts; of one topic it drops what is more than 64 and waits 100 ms between several: each message under way has a topic of its own, and only what arrives counts",
    load: () => import("./peers/go-micro.mjs"),
  },
  "nats-core": {
    inFlight: 2_000,
    waitsFor: "the server has the message",
    load: () => import("./contestants/nats-core.mjs"),
  },
  "nats-core-raw": {
    inFlight: 2_000,
    waitsFor: "the server has the message: one PING for all of a turn",
    less: "no limit on what waits for slow handlers",
    load: () => import("./contestants/nats-core-raw.mjs"),
  },
  "nats-core-10": {
    inFlight: 2_000,
    waitsFor: "the server has the message",
    receivers: 10,
    load: async () => (await import("./contestants/nats-core.mjs")).broadcast,
  },
  "nats-core-raw-10": {
    inFlight: 2_000,
    waitsFor: "the server has the message: one PING for all of a turn",
    less: "no limit on what waits for slow handlers",
    receivers: 10,
    load: async () => (await import("./contestants/nats-core-raw.mjs")).broadcast,
  },
  "nats-core-queue-4": {
    inFlight: 2_000,
    waitsFor: "the server has the message",
    receivers: 4,
    shared: true,
    load: () => import("./contestants/nats-core.mjs"),
  },
  "nats-core-raw-queue-4": {
    inFlight: 2_000,
    waitsFor: "the server has the message: one PING for all of a turn",
    less: "no limit on what waits for slow handlers",
    receivers: 4,
    shared: true,
    load: () => import("./contestants/nats-core-raw.mjs"),
  },
  jetstream: {
    inFlight: 1_000,
    waitsFor: "the server has stored the message",
    load: () => import("./contestants/jetstream.mjs"),
  },
  "jetstream-raw": {
    inFlight: 1_000,
    waitsFor: "the server has stored the message",
    less: "acks are not confirmed, nothing is sent again after a lost connection, no dead letters",
    load: () => import("./contestants/jetstream-raw.mjs"),
  },
  "jetstream-10": {
    inFlight: 1_000,
    waitsFor: "the server has stored the message",
    receivers: 10,
    load: async () => (await import("./contestants/jetstream.mjs")).broadcast,
  },
  "jetstream-raw-10": {
    inFlight: 1_000,
    waitsFor: "the server has stored the message",
    less: "acks are not confirmed, nothing is sent again after a lost connection, no dead letters",
    receivers: 10,
    load: async () => (await import("./contestants/jetstream-raw.mjs")).broadcast,
  },
  "jetstream-queue-4": {
    inFlight: 1_000,
    waitsFor: "the server has stored the message",
    receivers: 4,
    shared: true,
    load: () => import("./contestants/jetstream.mjs"),
  },
  "jetstream-raw-queue-4": {
    inFlight: 1_000,
    waitsFor: "the server has stored the message",
    less: "acks are not confirmed, nothing is sent again after a lost connection, no dead letters",
    receivers: 4,
    shared: true,
    load: () => import("./contestants/jetstream-raw.mjs"),
  },
  rabbitmq: {
    inFlight: 1_000,
    waitsFor: "the broker has confirmed the message",
    load: () => import("./contestants/rabbitmq.mjs"),
  },
  "rabbitmq-raw": {
    inFlight: 1_000,
    waitsFor: "the broker has confirmed the message",
    less: "no restored connection, nothing is sent again, no retry with a delay, no dead letters",
    load: () => import("./contestants/rabbitmq-raw.mjs"),
  },
  "rabbitmq-10": {
    inFlight: 1_000,
    waitsFor: "the broker has confirmed the message",
    receivers: 10,
    load: async () => (await import("./contestants/rabbitmq.mjs")).broadcast,
  },
  "rabbitmq-raw-10": {
    inFlight: 1_000,
    waitsFor: "the broker has confirmed the message",
    less: "no restored connection, nothing is sent again, no retry with a delay, no dead letters",
    receivers: 10,
    load: async () => (await import("./contestants/rabbitmq-raw.mjs")).broadcast,
  },
  "rabbitmq-queue-4": {
    inFlight: 1_000,
    waitsFor: "the broker has confirmed the message",
    receivers: 4,
    shared: true,
    load: () => import("./contestants/rabbitmq.mjs"),
  },
  "rabbitmq-raw-queue-4": {
    inFlight: 1_000,
    waitsFor: "the broker has confirmed the message",
    less: "no restored connection, nothing is sent again, no retry with a delay, no dead letters",
    receivers: 4,
    shared: true,
    load: () => import("./contestants/rabbitmq-raw.mjs"),
  },
  "nest-tcp": {
    inFlight: 2000,
    waitsFor: "the handler has ended",
    less: "no retry, no queue, no discovery: what is under way when a process dies is lost",
    load: () => import("./peers/nest-tcp.mjs"),
  },
  "nest-nats": {
    inFlight: 2000,
    waitsFor: "the handler has ended",
    less: "no id and no header on the message; no limit on what waits for slow handlers",
    load: () => import("./peers/nest-nats.mjs"),
  },
  "moleculer-nats": {
    inFlight: 2000,
    waitsFor: "the action has ended",
    less: "no retry as set here; no limit on what waits for slow handlers",
    load: () => import("./peers/moleculer-nats.mjs"),
  },
  "moleculer-channels": {
    inFlight: 1000,
    waitsFor: "the server has stored the message",
    less: "no id for the retry of a publish, no header, acks are not confirmed, nothing is sent again after a lost connection",
    load: () => import("./peers/moleculer-channels.mjs"),
  },
  "nest-rabbitmq": {
    inFlight: 1000,
    waitsFor: "the broker has confirmed the message",
    less: "no id and no header on the message, what no queue takes is dropped without a word, no retry with a delay, no dead letters",
    load: () => import("./peers/nest-rabbitmq.mjs"),
  },
};
