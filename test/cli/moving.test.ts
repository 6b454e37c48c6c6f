import { type Broker, createBroker, silentLogger } from "tidings";
import { expect, test } from "vitest";
import { bridge, copyQueues } from "../../examples/moving/bridge.ts";
import { until } from "../../src/testing/conformance/until.ts";
import type { Engine } from "../support/engines/engine.ts";
import { describeWithEngine, type EngineName } from "../support/engines/find-engine.ts";
import { startNats } from "../support/engines/nats.ts";
import { startRabbitmq } from "../support/engines/rabbitmq.ts";
import { runCommand } from "./in-process.ts";
import { ownFolder } from "./tidings-process.ts";

// What docs/moving.md tells, with a bridge: from the HTTP broker to a server.
const engines: readonly [EngineName, () => Promise<Engine>][] = [
  ["nats", startNats],
  ["rabbitmq", startRabbitmq],
];

for (const [name, start] of engines) {
  describeWithEngine(
    name,
    `moving to ${name}`,
    () => {
      test("a queue moves with what it holds, its dead letters too, in order and once", {
        timeout: 90_000,
      }, async () => {
        const folder = ownFolder();
        const engine = await start();
        const connect = async (url: string): Promise<Broker> => {
          const options = url.startsWith("http") ? { registryAddress: folder.path } : {};
          const broker = createBroker(url, { logger: silentLogger, onError: () => {}, ...options });
          await broker.connect();
          return broker;
        };
        const [publisher, oldBroker, newBroker] = [
          await connect("http"),
          await connect("http"),
          await connect(engine.url),
        ];
        const publish = (broker: Broker, id: string) =>
          broker.publish("orders.created", { header: { "x-id": id }, body: `order ${id}` }, { id });
        const old = ["--registry-address", folder.path];
        const fresh = ["--broker", name, "--broker-address", `${engine.host}:${engine.port}`];

        // The old system: a member that fails on one of its orders.
        const member = await oldBroker.subscribe(
          "orders.created",
          (delivery) => (delivery.id === "2" ? delivery.reject("no stock") : delivery.ack()),
          { queue: "billing", autoAck: false },
        );
        for (const id of ["1", "2"]) await publish(publisher, id);
        await until(async () => (await oldBroker.deadLetters.list("orders.created")).length === 1, {
          what: "one failed",
        });

        // The members stop, and what is published waits; the bridge takes it over, with the dead letter.
        await copyQueues(oldBroker, newBroker);
        await member.unsubscribe();
        for (const id of ["3", "4", "5"]) await publish(publisher, id);
        const carrier = await bridge(oldBroker, newBroker, "orders.created", "billing");
        await until(async () => (await oldBroker.queues.list())[0]?.messages === 0, { what: "the old queue is empty" });
        expect((await runCommand(["dlq", "redrive", "orders.created", ...old])).out).toMatch(
          /1 dead letter\(s\) redriven/,
        );
        await publisher.flush();
        await carrier.unsubscribe();
        await publish(newBroker, "6");

        const { out } = await runCommand([
          ...["sub", "orders.created", "--queue", "billing", "--count", "5", "--concurrency", "1", "--json"],
          ...fresh,
        ]);
        const messages = out
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));
        expect(messages.map(({ id, attempt, header, body }) => [id, attempt, header, body])).toEqual(
          ["3", "4", "5", "2", "6"].map((id) => [id, 1, { "x-id": id }, `order ${id}`]),
        );
        expect(JSON.parse((await runCommand(["queues", "ls", "--json", ...fresh])).out)).toMatchObject([
          { messages: 0 },
        ]);
        expect((await runCommand(["queues", "rm", "orders.created", "billing", ...old])).status).toBe(0);
        expect((await runCommand(["dlq", "ls", ...old])).out).toBe("There are no dead letters on the http broker.\n");

        await Promise.all([publisher, oldBroker, newBroker].map((broker) => broker.disconnect()));
        await engine.stop();
        folder.remove();
      });
    },
    { own: true },
  );
}
