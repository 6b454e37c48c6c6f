import type { Broker } from "../../broker.ts";
import type { BrokerOptions } from "../../broker-options.ts";
import type { Delivery } from "../../delivery.ts";
import { describeError } from "../../errors.ts";
import { publishNumbered } from "./publish-numbered.ts";
import { pause, until } from "./until.ts";
import type { WorkerArguments, WorkerReport } from "./worker-protocol.ts";

/**
 * The whole of a worker script: reads its role from the command line, opens a broker with `open`, plays the role and lets
 * the process end by itself. Whatever goes wrong is reported, and ends the process with status 1.
 * @param open opens and connects a broker on the harness's engine.
 */
export async function runConformanceWorker(open: (options: BrokerOptions) => Promise<Broker>): Promise<void> {
  const [role, json] = process.argv.slice(2);
  try {
    const args = JSON.parse(json ?? "") as WorkerArguments;
    const broker = await open({ ...args.broker });
    if (role === "subscribe") await subscribe(broker, args);
    else if (role === "publish") await publish(broker, args);
    else if (role === "visit") await visit(broker, args);
    else throw new Error(`no such role: ${role}`);
  } catch (error) {
    process.exitCode = 1;
    await report({ type: "failed", message: describeError(error) });
  }
  // The channel to the parent is the one thing here that the role does not close.
  process.channel?.unref();
}

async function subscribe(broker: Broker, args: WorkerArguments): Promise<void> {
  const told = new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
  });
  await broker.subscribe(args.topic, (delivery) => handle(broker, delivery, args), args.subscribe);
  await report({ type: "ready" });
  await told;
  await broker.disconnect();
  await report({ type: "closed" });
}

async function handle(broker: Broker, delivery: Delivery, args: WorkerArguments): Promise<void> {
  const { id, attempt } = delivery;
  const text = delivery.text();
  await report({ type: "started", text, id, attempt, rssBytes: process.memoryUsage.rss() });
  if (args.behaviour === "die") process.kill(process.pid, "SIGKILL");
  if (args.behaviour === "hold" || args.behaviour === "die") await new Promise(() => {});
  if (args.handlerMs !== undefined && args.handlerMs > 0) await pause(args.handlerMs);
  if (args.replyTopic !== undefined) await broker.publish(args.replyTopic, { body: text });
  await report({ type: "finished", text });
}

async function publish(broker: Broker, args: WorkerArguments): Promise<void> {
  const { publisher = "worker", count = 1 } = args;
  await publishNumbered(broker, args.topic, { publisher, count });
  await report({ type: "published", count });
  await broker.flush();
  await broker.disconnect();
  await report({ type: "closed" });
}

async function visit(broker: Broker, args: WorkerArguments): Promise<void> {
  let received = 0;
  const count = (): void => {
    received += 1;
  };
  const broadcast = await broker.subscribe(args.topic, count, args.subscribe);
  const member = await broker.subscribe(args.topic, count, { ...args.subscribe, queue: "visitors" });
  await report({ type: "ready" });
  await broker.publish(args.topic, { body: "visit" });
  await until(() => received === 2, {
    what: "the worker's own message arrived twice",
    detail: () => `${received} arrived`,
  });
  await broadcast.unsubscribe();
  await member.unsubscribe();
  await broker.disconnect();
  await report({ type: "closed" });
}

function report(message: WorkerReport): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) reject(new Error("a worker is started by forkConformanceWorker"));
    else process.send(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
