import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AmqpProbe, probeAmqp } from "../../support/engines/amqp-probe.ts";
import { testCertificates } from "../../support/engines/certificates.ts";
import { describeWithEngine } from "../../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../../support/engines/rabbitmq.ts";

const START_TIMEOUT_MS = 120_000;
const CONNECTION_FORCED = 320;

function testsOfRabbitmq(): void {
  let engine: RabbitmqEngine;

  const login = (probe: Partial<AmqpProbe> = {}, signal = new AbortController().signal): Promise<void> =>
    probeAmqp({ port: engine.port, user: "guest", password: "guest", vhost: "/", ...probe }, signal);

  beforeAll(async () => {
    engine = await startRabbitmq();
  }, START_TIMEOUT_MS);

  afterAll(async () => {
    await engine.stop();
    await engine.stop();
    const store = /database dir +: (.*)/.exec(engine.log())?.[1] ?? "";
    expect(store).toContain("tidings-rabbitmq-");
    expect(existsSync(store)).toBe(false);
  }, START_TIMEOUT_MS);

  test("makes vhosts", { timeout: START_TIMEOUT_MS }, async () => {
    const [named, unnamed] = [await engine.createVhost("a/b"), await engine.createVhost()];
    expect(named.url).toBe(`${engine.url}/a%2Fb`);
    for (const { name } of [named, unnamed]) await login({ vhost: name });
    await expect(login({ vhost: "no-such-vhost" })).rejects.toThrow(/no-such-vhost/);
  });

  test("makes users, and lets them into vhosts", { timeout: START_TIMEOUT_MS }, async () => {
    const { name: vhost } = await engine.createVhost();
    await engine.addUser("ada", "secret");
    await expect(login({ user: "ada", password: "secret", vhost })).rejects.toThrow(/530/);
    await engine.setPermissions(vhost, "ada", { configure: "^$" });
    await login({ user: "ada", password: "secret", vhost });
    await expect(login({ user: "ada", password: "wrong", vhost })).rejects.toThrow(/closed|ECONNRESET/);
    expect(await engine.ctl("list_user_permissions", "ada")).toMatch(/\^\$\s+\.\*\s+\.\*/);
  });

  test("cuts connections and runs on", { timeout: START_TIMEOUT_MS }, async () => {
    const { name: vhost } = await engine.createVhost();
    const codes: number[] = [];
    const held = (where: string): Promise<void> =>
      login({
        vhost: where,
        whileOpen: async ({ expect: wait }) => {
          codes.push(await wait((received) => (received.length >= 13 ? received.readUInt16BE(11) : undefined)));
        },
      });
    const opened = async (): Promise<number> =>
      (await engine.ctl("list_connections", "pid")).match(/<.*>/g)?.length ?? 0;
    const [there, here] = [Promise.allSettled([held("/")]), Promise.allSettled([held(vhost)])];
    await expect.poll(opened, { timeout: 30_000 }).toBe(2);
    await engine.cutConnections(vhost);
    await here;
    expect(await opened()).toBe(1);
    await engine.cutConnections();
    await there;
    expect(codes).toEqual([CONNECTION_FORCED, CONNECTION_FORCED]);
    await login({ vhost });
  });

  test("answers nothing while it is paused", { timeout: START_TIMEOUT_MS }, async () => {
    engine.pause();
    await expect(login({}, AbortSignal.timeout(300))).rejects.toThrow(/timeout/i);
    engine.resume();
    await login();
  });

  test("keeps its port and its data over a restart and a kill", { timeout: START_TIMEOUT_MS }, async () => {
    const { name: vhost } = await engine.createVhost();
    await engine.restart();
    await login({ vhost });
    await engine.kill();
    await expect(login({ vhost })).rejects.toThrow(/ECONNREFUSED/);
    await engine.startAgain();
    await login({ vhost });
  });

  test("speaks TLS, takes further configuration, and says why it does not start", {
    timeout: START_TIMEOUT_MS,
  }, async () => {
    const certificates = await testCertificates();
    try {
      const { certFile, keyFile } = certificates;
      const secure = await startRabbitmq({ tls: { certFile, keyFile }, config: "heartbeat = 7" });
      expect(secure.log()).toMatch(/started TLS \(SSL\) listener on 127\.0\.0\.1:/);
      expect(new URL(secure.tlsUrl ?? "").protocol).toBe("amqps:");
      await secure.stop();
      await expect(startRabbitmq({ config: "no_such_setting = 1" })).rejects.toThrow(/no_such_setting/);
    } finally {
      await certificates.remove();
    }
  });
}

describeWithEngine("rabbitmq", "a private RabbitMQ node", testsOfRabbitmq, { own: true });
