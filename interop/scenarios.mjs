// What is shown beside the cells: the registry in both directions, and go-micro's own `pubsub` example, with the service and
// the client in either language.
import { randomUUID } from "node:crypto";
import { http } from "../dist/drivers/http/index.js";
import { createBroker, createService } from "../dist/index.js";
import { mdns } from "../dist/registries/mdns/index.js";
import { GoPeer } from "./peers.mjs";
import { until } from "./wait.mjs";
import { untilFound } from "./warm-up.mjs";

/** How soon a change must be seen on the other side, in milliseconds after it was announced. */
const SOON_MS = 1_000;

/** How many events a client of the example publishes to each topic. */
const EVENTS = 20;

/** The scenarios of one version, by name; each resolves with what it measured, and rejects where it fails. */
export const SCENARIOS = {
  "a Go service in our registry": goServiceHere,
  "our service in Go's registry": ourServiceThere,
  "pubsub: Go service, Go client": (path) => pubsub(path, "go", "go"),
  "pubsub: Go service, Node client": (path) => pubsub(path, "go", "node"),
  "pubsub: Node service, Go client": (path) => pubsub(path, "node", "go"),
  "pubsub: Node service, Node client": (path) => pubsub(path, "node", "node"),
};

/** Runs one scenario. */
export async function runScenario(run, path) {
  try {
    return { ok: true, detail: await run(path) };
  } catch (error) {
    return { ok: false, reason: error.message.split("\n")[0] };
  }
}

async function goServiceHere(path) {
  const registry = mdns();
  const heard = [];
  const watcher = await registry.watch(({ action, service }) => heard.push({ action, service, at: performance.now() }));
  const peer = new GoPeer(path);
  const name = `go.greeter.${randomUUID().slice(0, 8)}`;
  try {
    await peer.do({ do: "service", name, version: "1.2.3" });
    await peer.do({ do: "handle", type: "object", topic: "greetings" });
    const starting = performance.now();
    await peer.do({ do: "start" });
    const event = (action) => heard.find((one) => one.action === action && one.service.name === name);
    const created = await until(() => event("create"), "the service was announced");
    const [found] = await registry.getService(name);
    if (found?.version !== "1.2.3") throw new Error("getService does not find it");
    const listed = await registry.listServices();
    if (!listed.some((one) => one.name === name)) throw new Error("listServices does not list it");
    const topics = found.endpoints.map(({ metadata }) => metadata.topic);
    if (!topics.includes("greetings")) throw new Error("its endpoints do not show the topic");
    const leaving = performance.now();
    await peer.do({ do: "stop" });
    const deleted = await until(() => event("delete"), "the service left");
    const [appeared, left] = [created.at - starting, deleted.at - leaving].map(Math.round);
    if (left > SOON_MS) throw new Error(`its leaving was seen after ${left} ms`);
    return `seen ${appeared} ms after its start began, gone ${left} ms after its stop began`;
  } finally {
    watcher.close();
    await peer.end();
  }
}

async function ourServiceThere(path) {
  const peer = new GoPeer(path);
  const name = `tidings.greeter.${randomUUID().slice(0, 8)}`;
  const heard = [];
  peer.on(({ event, action, service }) => event === "change" && heard.push({ action, service, at: performance.now() }));
  await peer.do({ do: "watch" });
  const service = createService({ name, version: "1.2.3", broker: node(), registry: mdns() });
  try {
    service.subscribe("greetings", { hello() {} }, { queue: "q" });
    // Go's watcher says that it watches before it does.
    await until(async () => (await peer.services()).length >= 0, "Go answers");
    const starting = performance.now();
    await service.start();
    const started = performance.now();
    const event = (action) => heard.find((one) => one.action === action && one.service.name === name);
    const created = await until(() => event("create"), "Go's watcher saw it");
    // Go waits 100 ms for answers, which a busy machine may not keep.
    const found = await until(async () => (await peer.services(name))[0], "Go's GetService found it");
    if (found.version !== "1.2.3") throw new Error(`Go's GetService says version ${found.version}`);
    await until(async () => (await peer.services()).some((one) => one.name === name), "Go's ListServices listed it");
    const [endpoint] = found.endpoints ?? [];
    if (endpoint?.metadata?.topic !== "greetings" || endpoint.metadata.subscriber !== "true")
      throw new Error("Go does not see its endpoints");
    const leaving = performance.now();
    await service.stop();
    const deleted = await until(() => event("delete"), "Go's watcher saw it leave");
    const appeared = Math.round(created.at - started);
    const left = Math.round(deleted.at - leaving);
    if (appeared > SOON_MS || left > SOON_MS) throw new Error(`seen after ${appeared} ms, gone after ${left} ms`);
    return `seen ${Math.round(created.at - starting)} ms after its start began, gone ${left} ms after its stop began`;
  } finally {
    await service.stop();
    await peer.end();
  }
}

function node() {
  return createBroker(http({ registry: mdns(), wire: "go-micro" }), { drainTimeoutMs: 5_000, onError: () => {} });
}

/**
 * go-micro's `pubsub` example: a service whose object subscribes to one topic and whose function shares a queue on another,
 * twice over, and a client that publishes to both.
 */
async function pubsub(path, serviceIn, clientIn) {
  const run = randomUUID().slice(0, 8);
  const topics = [`example.topic.pubsub.1.${run}`, `example.topic.pubsub.2.${run}`];
  const got = new Map();
  const warm = new Set();
  const count = (who, id) => (id < 0 ? warm.add(who) : got.set(`${who} ${id}`, (got.get(`${who} ${id}`) ?? 0) + 1));
  const found = () => ["a.First", "b.First", "a.queue", "b.queue"].every((who) => warm.has(who));
  const ending = [];
  try {
    for (const instance of ["a", "b"])
      ending.push(await (serviceIn === "go" ? goService : nodeService)(path, instance, topics, count));
    const registry = mdns();
    await until(async () => {
      const nodes = (await registry.getService("micro.http.broker")).flatMap((one) => one.nodes);
      return nodes.filter(({ metadata }) => topics.includes(metadata.topic)).length === 4;
    }, "the subscribers were in the registry");
    await (clientIn === "go" ? goClient : nodeClient)(path, topics, ending, found);
    const total = () => [...got.values()].reduce((sum, times) => sum + times, 0);
    // Each instance's object handles every event with both methods; the queue's members share.
    const expected = EVENTS * 2 * 2 + EVENTS;
    await until(() => total() >= expected, `all ${expected} were handled`).catch(() => {
      throw new Error(`${total()} of ${expected} were handled`);
    });
    for (let id = 0; id < EVENTS; id += 1) {
      for (const who of ["a.First", "a.Second", "b.First", "b.Second"])
        if (got.get(`${who} ${id}`) !== 1)
          throw new Error(`${who} handled event ${id} ${got.get(`${who} ${id}`)} times`);
      const shared = (got.get(`a.queue ${id}`) ?? 0) + (got.get(`b.queue ${id}`) ?? 0);
      if (shared !== 1) throw new Error(`the queue handled event ${id} ${shared} times`);
    }
    return `${expected} handled, each once`;
  } finally {
    for (const end of ending) await end();
  }
}

async function goService(path, instance, topics, count) {
  const peer = new GoPeer(path);
  peer.on(({ event, id, body }) => {
    if (event === "message") count(id, JSON.parse(Buffer.from(body, "base64").toString()).id);
  });
  await peer.do({ do: "service", name: "go.micro.srv.pubsub", version: "latest" });
  await peer.do({ do: "handle", id: instance, type: "object", topic: topics[0] });
  await peer.do({ do: "handle", id: `${instance}.queue`, type: "json", topic: topics[1], queue: "queue.pubsub" });
  await peer.do({ do: "start" });
  return () => peer.end();
}

async function nodeService(_path, instance, topics, count) {
  class Sub {
    First(event) {
      count(`${instance}.First`, event.id);
    }
    Second(event) {
      count(`${instance}.Second`, event.id);
    }
  }
  const service = createService({ name: "go.micro.srv.pubsub", broker: node(), registry: mdns() });
  service.subscribe(topics[0], new Sub());
  service.subscribe(topics[1], (event) => count(`${instance}.queue`, event.id), { queue: "queue.pubsub" });
  await service.start();
  return () => service.stop();
}

async function goClient(path, topics, ending, found) {
  const send = await untilFound(async () => {
    const peer = new GoPeer(path);
    ending.push(() => peer.end());
    await peer.do({ do: "service", name: "go.micro.cli.pubsub", version: "latest" });
    await peer.do({ do: "start" });
    const events = async (ids) => {
      const bodies = ids.map((id) =>
        Buffer.from(JSON.stringify({ id, text: "Messaging you all day" })).toString("base64"),
      );
      for (const topic of topics)
        await peer.do({ do: "send", topic, type: "application/json", bodies, pauseMicros: 2_000 });
    };
    return { peer, warmUp: (times) => events(Array.from({ length: times }, () => -1)), found, send: events };
  });
  await send(Array.from({ length: EVENTS }, (_one, id) => id));
}

async function nodeClient(_path, topics, ending) {
  const service = createService({ name: "go.micro.cli.pubsub", broker: node(), registry: mdns() });
  ending.push(() => service.stop());
  await service.start();
  for (const topic of topics) {
    const event = service.publisher(topic);
    for (let id = 0; id < EVENTS; id += 1) await event.publish({ id, text: "Messaging you all day" });
  }
  await service.broker.flush();
}
