import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import { nats, natsCore } from "../../src/drivers/nats/index.ts";
import type { NatsOptions } from "../../src/drivers/nats/options.ts";
import type { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import type { NatsEngine } from "../support/engines/nats.ts";
import { type NatsCluster, startNatsCluster } from "../support/engines/nats-cluster.ts";

const TIMEOUT = { timeout: 60_000 };

describeWithEngine("nats", "JetStream in a cluster of three servers", () => {
  const cleanups: (() => unknown)[] = [];
  let cluster: NatsCluster;
  let admin: NatsConnection;
  let prefixes = 0;

  beforeAll(async () => {
    cluster = await startNatsCluster();
    admin = await connect({ servers: [...cluster.addresses] });
  }, 60_000);

  // A test may have killed the leader of JetStream, and the next one is elected within ten seconds.
  beforeEach(() => cluster.untilWhole(), 60_000);

  afterAll(async () => {
    await admin.close();
    await cluster.stop();
  });

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  /** What JetStream says. A server that has just come back, or has no leader, says nothing or 503: it is asked again. */
  const api = async <T = object>(call: string): Promise<T> =>
    until(
      async () => {
        const answer = await admin.request(`$JS.API.${call}`, "{}", { timeout: 2_000 }).catch(() => undefined);
        const said = answer?.json<T & { error?: { code: number } }>();
        return said?.error?.code === 503 ? undefined : said;
      },
      { what: `JetStream answers ${call}`, deadlineMs: 30_000 },
    );
  const made = (own: NatsOptions, options: BrokerOptions = {}): Broker<NatsConnection> => {
    const broker = createBroker(nats({ servers: cluster.addresses, redeliverAfterMs: 1_000, ...own }), {
      logger: silentLogger,
      onError: () => {},
      ...options,
    });
    cleanups.push(() => broker.disconnect());
    return broker;
  };
  const newPrefix = (): string => {
    prefixes += 1;
    return `clustered-${process.pid}-${prefixes}`;
  };
  const refusal = async (own: NatsOptions): Promise<BrokerError> =>
    made(own, { reconnect: { maxAttempts: 1 } })
      .connect()
      .then(
        () => expect.fail("it connected"),
        (error: BrokerError) => error,
      );
  const copiesOf = async (prefix: string): Promise<readonly number[]> =>
    Promise.all(
      ["messages", "copies", "dead", "attempts"].map(async (stream) => {
        const { config } = await api<{ config: { num_replicas: number } }>(`STREAM.INFO.${prefix}-${stream}`);
        return config.num_replicas;
      }),
    );
  /** Whether servers of this version keep what is in a stream of several copies. */
  const replicates = (): boolean => {
    const [, minor = 0, patch = 0] = (admin.info?.version ?? "").split(/[.-]/).map(Number);
    return minor > 9 || patch >= 25;
  };

  test(
    "replicas makes each stream with so many copies, or says why the server would lose messages",
    TIMEOUT,
    async () => {
      const prefix = newPrefix();
      if (!replicates()) {
        const error = await refusal({ prefix, replicas: 3 });
        expect([error.code, error.retryable]).toEqual(["ERR_UNSUPPORTED", false]);
        expect(error.message).toMatch(/3 replicas on nats-server 2\.9\.\d+.* 2\.9\.25/);
        expect((await api<{ error: { err_code: number } }>(`STREAM.INFO.${prefix}-messages`)).error.err_code).toBe(
          10059,
        );
        return;
      }
      await made({ prefix, replicas: 3 }).connect();
      expect(await copiesOf(prefix)).toEqual([3, 3, 3, 3]);
      // What an operator set stays where nobody asks for something else.
      await made({ prefix }).connect();
      expect(await copiesOf(prefix)).toEqual([3, 3, 3, 3]);
      const error = await refusal({ prefix, replicas: 1 });
      expect([error.code, error.message]).toEqual(["ERR_INVALID_OPTION", expect.stringContaining("num_replicas")]);
    },
  );

  test("more replicas than servers are refused, and may be tried again", TIMEOUT, async () => {
    const error = await refusal({ prefix: newPrefix(), replicas: 5 });
    expect([error.code, error.retryable]).toEqual(
      replicates() ? ["ERR_CONNECT_FAILED", true] : ["ERR_UNSUPPORTED", false],
    );
    expect(error.message).toContain("5 replicas");
  });

  test("without replicas each stream has one copy", TIMEOUT, async () => {
    const prefix = newPrefix();
    await made({ prefix }).connect();
    expect(await copiesOf(prefix)).toEqual([1, 1, 1, 1]);
  });

  test("a broker whose server dies goes on at another one, and loses nothing", TIMEOUT, async () => {
    // The ack of the first may die with the server: then that one comes again.
    const texts = new Set<string>();
    const broker = made({ prefix: newPrefix() });
    await broker.connect();
    await broker.subscribe("t", (delivery) => void texts.add(delivery.text()), { queue: "q" });
    await broker.publish("t", { body: "before" });
    await until(() => texts.size === 1, { what: "the first arrived" });
    const [core, seen] = [natsCore({ servers: cluster.addresses }), [] as string[]];
    const coreBroker = createBroker(core, { logger: silentLogger, onError: () => {} });
    cleanups.push(() => coreBroker.disconnect());
    await coreBroker.connect();
    await coreBroker.subscribe("t", (delivery) => void seen.push(delivery.text()));

    const isAt = ({ host, port }: NatsEngine): boolean => broker.native.getServer() === `${host}:${port}`;
    const dead = cluster.servers.find(isAt);
    await dead?.kill();
    const meanwhile = broker.publish("t", { body: "meanwhile" });
    await until(() => !cluster.servers.some((server) => server === dead && isAt(server)), {
      what: "the broker is at another server",
    });
    // At most once: what is published while its subscriber is cut off is lost.
    await until(
      async () => {
        await coreBroker.publish("t", { body: "after" }).catch(() => {});
        return seen.length > 0;
      },
      { what: "core NATS goes on without it", deadlineMs: 20_000 },
    );
    // Each stream has one copy, which may be on the dead server.
    await dead?.startAgain();
    expect(await meanwhile).toMatchObject({ state: "stored" });
    await until(() => texts.size === 2, { what: "the second arrived", deadlineMs: 30_000 });
    await until(() => broker.status === "connected", { what: "the broker is connected", deadlineMs: 30_000 });
  });

  test("connecting says which stream is on a server that is away", TIMEOUT, async () => {
    const prefix = newPrefix();
    const stream = `${prefix}-messages`;
    const broker = made({ prefix });
    await broker.connect();
    const { cluster: place } = await api<{ cluster: { leader: string } }>(`STREAM.INFO.${stream}`);
    await broker.disconnect();
    const keeper = cluster.servers.find(({ port }) => place.leader.endsWith(`-${port}`));
    await keeper?.kill();
    const others = cluster.servers.filter((server) => server !== keeper).map(({ host, port }) => `${host}:${port}`);
    // Who leads answers this: another server, if the leader was the one that died.
    await api("STREAM.NAMES");
    const connecting = made({ prefix, servers: others }, { connectTimeoutMs: 4_000 }).connect();
    await expect(connecting).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", retryable: true });
    await expect(connecting).rejects.toThrow(stream);
    await keeper?.startAgain();
  });

  test("without a majority connecting says that too few servers are up, and may be tried again", TIMEOUT, async () => {
    const [first, ...others] = cluster.servers as [NatsEngine, ...NatsEngine[]];
    const lone = await connect({ servers: `${first.host}:${first.port}` });
    cleanups.push(() => lone.close());
    await Promise.all(others.map((server) => server.kill()));
    const refused = async (): Promise<BrokerError> =>
      refusal({ prefix: newPrefix(), servers: `${first.host}:${first.port}` });
    // At first the server takes itself or another for the leader and is silent; then it says that there is none.
    const silent = await refused();
    await until(
      async () => {
        const answer = await lone.request("$JS.API.STREAM.NAMES", "{}").catch(() => undefined);
        return answer?.json<{ error?: { code: number } }>().error?.code === 503;
      },
      { what: "the server says that it has no leader", deadlineMs: 30_000 },
    );
    for (const error of [silent, await refused()]) {
      expect([error.code, error.retryable]).toEqual(["ERR_CONNECT_FAILED", true]);
      expect(error.message).toMatch(/too few of/);
    }
    await Promise.all(others.map((server) => server.startAgain()));
  });
});
