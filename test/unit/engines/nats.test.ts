import { existsSync } from "node:fs";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { testCertificates } from "../../support/engines/certificates.ts";
import { describeWithEngine } from "../../support/engines/find-engine.ts";
import { type NatsEngine, type NatsEngineOptions, startNats } from "../../support/engines/nats.ts";

const TEST_TIMEOUT_MS = 60_000;

function testsOfNats(): void {
  const cleanups: (() => Promise<unknown>)[] = [];

  const start = async (options?: NatsEngineOptions): Promise<NatsEngine> => {
    const engine = await startNats(options);
    cleanups.push(() => engine.stop());
    return engine;
  };
  const client = async (engine: NatsEngine, options: NodeConnectionOptions = {}): Promise<NatsConnection> => {
    const connection = await connect({ servers: `${engine.host}:${engine.port}`, reconnect: false, ...options });
    cleanups.push(() => connection.close());
    return connection;
  };

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  test("keeps its port and its data over a restart and a kill", { timeout: TEST_TIMEOUT_MS }, async () => {
    const engine = await start();
    const { port } = engine;
    const first = await client(engine);
    await (await jetstreamManager(first)).streams.add({ name: "kept", subjects: ["kept"] });
    await jetstream(first).publish("kept", "one");
    await engine.restart();
    await engine.kill();
    await expect(client(engine)).rejects.toThrow(/ECONNREFUSED|refused/i);
    await engine.startAgain();
    const again = await client(engine);
    const { state } = await (await jetstreamManager(again)).streams.info("kept");
    expect([engine.port, state.messages]).toEqual([port, 1]);
    expect(engine.log().match(/Server is ready/g)).toHaveLength(3);
  });

  test("answers nothing while it is paused", { timeout: TEST_TIMEOUT_MS }, async () => {
    const engine = await start({ jetstream: false });
    const connection = await client(engine);
    await connection.flush();
    engine.pause();
    let answered = false;
    const flushed = connection.flush().then(() => {
      answered = true;
    });
    await expect(client(engine, { timeout: 200 })).rejects.toThrow(/timeout/i);
    expect(answered).toBe(false);
    engine.resume();
    await flushed;
  });

  test("cuts connections and runs on", { timeout: TEST_TIMEOUT_MS }, async () => {
    const engine = await start({ jetstream: false });
    const closed = (await client(engine)).closed();
    await engine.cutConnections();
    await closed;
    await (await client(engine)).flush();
    expect(engine.log().match(/Server is ready/g)).toHaveLength(1);
  });

  test("wants the credentials that it was started with", { timeout: TEST_TIMEOUT_MS }, async () => {
    const engine = await start({ auth: { user: "u", password: "p w" } });
    expect(engine.url).toBe(`nats://u:p%20w@127.0.0.1:${engine.port}`);
    await (await client(engine, { user: "u", pass: "p w" })).flush();
    await expect(client(engine, { user: "u", pass: "wrong" })).rejects.toThrow(/authorization/i);
    const other = await start({ auth: { token: "t" } });
    expect(other.url).toBe(`nats://t@127.0.0.1:${other.port}`);
    await (await client(other, { token: "t" })).flush();
  });

  test("speaks TLS, and wants certificates where it has an authority", { timeout: TEST_TIMEOUT_MS }, async () => {
    const certificates = await testCertificates();
    cleanups.push(() => certificates.remove());
    const { caFile, certFile, keyFile, clientCertFile, clientKeyFile } = certificates;
    const open = await start({ tls: { certFile, keyFile } });
    await (await client(open, { tls: { caFile } })).flush();
    await expect(client(open)).rejects.toThrow();
    const mutual = await start({ tls: { certFile, keyFile, caFile } });
    await (await client(mutual, { tls: { caFile, certFile: clientCertFile, keyFile: clientKeyFile } })).flush();
    await expect(client(mutual, { tls: { caFile } })).rejects.toThrow();
  });

  test("takes further configuration, also while it runs", { timeout: TEST_TIMEOUT_MS }, async () => {
    const engine = await start({ config: "max_payload: 1234" });
    const connection = await client(engine);
    expect(connection.info?.max_payload).toBe(1_234);
    await engine.reconfigure("max_payload: 4321");
    expect((await client(engine)).info?.max_payload).toBe(4_321);
    await expect(engine.reconfigure("no_such_setting: 1")).rejects.toThrow(/no_such_setting/);
  });

  test("says why it does not start", { timeout: TEST_TIMEOUT_MS }, async () => {
    await expect(startNats({ config: "no_such_setting: 1" })).rejects.toThrow(/no_such_setting/);
  });

  test("leaves nothing behind", { timeout: TEST_TIMEOUT_MS }, async () => {
    const engine = await startNats();
    const store = /Store Directory: "(.*)"/.exec(engine.log())?.[1] ?? "";
    expect(existsSync(store)).toBe(true);
    await engine.stop();
    await engine.stop();
    expect(existsSync(store)).toBe(false);
    expect(engine.log()).toContain("Server is ready");
    expect(() => engine.pause()).toThrow(/not running/);
  });
}

describeWithEngine("nats", "a private NATS server", testsOfNats, { own: true });
