import { existsSync } from "node:fs";
import { mkdtemp, readdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AmqpProbe, probeAmqp } from "../../support/engines/amqp-probe.ts";
import { testCertificates } from "../../support/engines/certificates.ts";
import { describeWithEngine, engineProgramPath } from "../../support/engines/find-engine.ts";
import { guard } from "../../support/engines/guardian.ts";
import { type RabbitmqEngine, startRabbitmq } from "../../support/engines/rabbitmq.ts";
import { rabbitmqNode } from "../../support/engines/rabbitmq-node.ts";

const START_TIMEOUT_MS = 120_000;
const CONNECTION_FORCED = 320;

function testsOfRabbitmq(): void {
  let engine: RabbitmqEngine;
  /** An empty folder, in which everything here runs and which must stay empty. */
  let empty: string;
  const home = process.cwd();

  const login = (probe: Partial<AmqpProbe> = {}, signal = new AbortController().signal): Promise<void> =>
    probeAmqp({ port: engine.port, user: "guest", password: "guest", vhost: "/", ...probe }, signal);

  beforeAll(async () => {
    empty = await mkdtemp(join(tmpdir(), "tidings-working-directory-"));
    process.chdir(empty);
    engine = await startRabbitmq();
  }, START_TIMEOUT_MS);

  afterAll(async () => {
    await engine.stop();
    await engine.stop();
    const store = /database dir +: (.*)/.exec(engine.log())?.[1] ?? "";
    expect(store).toContain("tidings-rabbitmq-");
    expect(existsSync(store)).toBe(false);
    process.chdir(home);
    expect(await readdir(empty)).toEqual([]);
    await rmdir(empty);
  }, START_TIMEOUT_MS);

  test("is told of no path outside its folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidings-rabbitmq-node-"));
    const guardian = guard(folder);
    try {
      const { mapper, server } = await rabbitmqNode(engineProgramPath("rabbitmq"), folder, {});
      for (const { env, folder: start } of [mapper, server]) {
        const paths = Object.entries(env).filter(([name]) => /_BASE$|_FILE$|^HOME$/.test(name));
        for (const path of [start, ...paths.map(([, value]) => String(value))])
          expect([path, isAbsolute(path) && !relative(folder, path).startsWith("..")]).toEqual([path, true]);
      }
      expect(Object.keys(server.env)).toEqual(
        expect.arrayContaining(["HOME", "RABBITMQ_MNESIA_BASE", "RABBITMQ_LOG_BASE", "RABBITMQ_ENABLED_PLUGINS_FILE"]),
      );
    } finally {
      await guardian.finish();
    }
  });

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
