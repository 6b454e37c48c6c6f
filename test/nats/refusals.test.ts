import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import { nats } from "../../src/drivers/nats/index.ts";
import type { NatsOptions } from "../../src/drivers/nats/options.ts";
import type { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, startNats } from "../support/engines/nats.ts";

const TIMEOUT = { timeout: 60_000 };

describeWithEngine(
  "nats",
  "JetStream, what the server refuses",
  () => {
    const cleanups: (() => unknown)[] = [];
    const errors: BrokerError[] = [];

    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
      errors.length = 0;
    });

    const denying = async (permissions: string): Promise<NatsEngine> => {
      const users = `{ user: u, password: p, permissions: { ${permissions} } }`;
      const strict = await startNats({ config: `authorization { users: [ ${users} ] }` });
      cleanups.push(() => strict.stop());
      return strict;
    };
    const brokerOf = (
      engine: NatsEngine,
      own: NatsOptions = {},
      options: BrokerOptions = {},
    ): Broker<NatsConnection> => {
      const login = { servers: `${engine.host}:${engine.port}`, user: "u", password: "p" };
      const broker = createBroker(nats({ ...(own.connection === undefined ? login : {}), ...own }), {
        logger: silentLogger,
        onError: (error) => errors.push(error),
        ...options,
      });
      cleanups.push(() => broker.disconnect());
      return broker;
    };

    test("JetStream's API, or the answers, is ERR_AUTHENTICATION at once", TIMEOUT, async () => {
      for (const permissions of ['publish: { deny: "$JS.>" }', 'subscribe: { deny: "_INBOX.>" }']) {
        const broker = brokerOf(await denying(permissions));
        await expect(broker.connect()).rejects.toMatchObject({ code: "ERR_AUTHENTICATION", retryable: false });
      }
    });

    test("replicas, where the server is in no cluster, is ERR_UNSUPPORTED at once", TIMEOUT, async () => {
      const engine = await startNats({ config: "authorization { user: u, password: p }" });
      cleanups.push(() => engine.stop());
      const connecting = brokerOf(engine, { replicas: 3 }).connect();
      await expect(connecting).rejects.toMatchObject({ code: "ERR_UNSUPPORTED", retryable: false });
      await expect(connecting).rejects.toThrow("3 replicas");
    });

    test("pulls make subscribe reject", TIMEOUT, async () => {
      const broker = brokerOf(await denying('publish: { deny: "$JS.API.CONSUMER.MSG.NEXT.>" }'));
      await broker.connect();
      for (const options of [{ queue: "q" }, {}])
        await expect(broker.subscribe("t", () => {}, options)).rejects.toMatchObject({ code: "ERR_AUTHENTICATION" });
      expect(await broker.queues.list()).toMatchObject([{ queue: "q", members: 0 }]);
    });

    test("acks make ack reject: the message comes again", TIMEOUT, async () => {
      const broker = brokerOf(await denying('publish: { deny: "$JS.ACK.>" }'), { redeliverAfterMs: 1_000 });
      await broker.connect();
      const acked: string[] = [];
      const ack = async (delivery: { ack(): Promise<void> }) =>
        acked.push(
          await delivery.ack().then(
            () => "acked",
            (error: BrokerError) => error.code,
          ),
        );
      await broker.subscribe("t", ack, { queue: "q", autoAck: false });
      await broker.publish("t", { body: "x" });
      await until(() => acked.length === 2, { what: "it came again", deadlineMs: 20_000 });
      expect(acked).toEqual(["ERR_AUTHENTICATION", "ERR_AUTHENTICATION"]);
    });

    test(
      "nothing, but is silent while connecting is given up: a given connection is left as it was",
      TIMEOUT,
      async () => {
        const engine = await startNats();
        cleanups.push(() => engine.stop());
        const connection = await connect({ servers: `${engine.host}:${engine.port}`, pingInterval: 60_000 });
        cleanups.push(() => connection.close());
        const subscriptions = () =>
          (connection as unknown as { protocol: { subscriptions: { subs: Map<number, unknown> } } }).protocol
            .subscriptions.subs.size;
        engine.pause();
        const broker = brokerOf(engine, { connection }, { connectTimeoutMs: 500 });
        await expect(broker.connect()).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
        engine.resume();
        await connection.flush();
        // The client's own, for the answers to its requests.
        await until(() => subscriptions() <= 1, { what: "nothing of the broker is left", deadlineMs: 20_000 });
        expect(connection.isClosed()).toBe(false);
      },
    );
  },
  { own: true },
);
