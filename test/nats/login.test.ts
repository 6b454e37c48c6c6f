import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { nkeys } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import type { BrokerOptions } from "../../src/broker-options.ts";
import { createBroker } from "../../src/create-broker.ts";
import type { Driver } from "../../src/driver.ts";
import { nats, natsCore } from "../../src/drivers/nats/index.ts";
import { BrokerError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { testCertificates } from "../support/engines/certificates.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type NatsEngine, type NatsEngineOptions, startNats } from "../support/engines/nats.ts";

const PASSWORD = "corr%ct horse@battery";
const TIMEOUT = { timeout: 60_000 };

describeWithEngine(
  "nats",
  "logging in to a NATS server",
  () => {
    const cleanups: (() => Promise<unknown>)[] = [];

    const start = async (options: NatsEngineOptions): Promise<NatsEngine & { server: string }> => {
      const engine = await startNats(options);
      cleanups.push(() => engine.stop());
      return { ...engine, server: `${engine.host}:${engine.port}` };
    };
    const open = async (given: string | Driver, options: BrokerOptions = {}): Promise<Broker> => {
      const broker = createBroker(given, { logger: silentLogger, ...options });
      cleanups.push(() => broker.disconnect());
      await broker.connect();
      return broker;
    };
    const refused = async (given: string | Driver): Promise<BrokerError> => {
      const startedAt = performance.now();
      const error = await open(given, { connectTimeoutMs: 60_000 }).catch((thrown: unknown) => thrown);
      expect(performance.now() - startedAt).toBeLessThan(15_000);
      if (error instanceof BrokerError) return error;
      throw new Error(`it was not refused with a BrokerError: ${inspect(error)}`);
    };

    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });

    test("with user and password, by URL and by option, never shown", TIMEOUT, async () => {
      const { server, url } = await start({ auth: { user: "ada", password: PASSWORD } });
      const shown: unknown[] = [];
      for (const broker of [
        await open(url),
        await open(url.replace("nats:", "nats+core:")),
        await open(nats({ servers: server, user: "ada", password: PASSWORD })),
      ]) {
        expect(broker.address).toMatch(/^nats(\+core)?:\/\/127\.0\.0\.1:\d+$/);
        shown.push(broker.address, broker.capabilities, broker.status);
      }
      for (const wrong of [
        url.replace("ada:", "eve:"),
        url.replace("nats:", "nats+core:").replace("ada:", "eve:"),
        nats({ servers: server, user: "ada", password: `${PASSWORD}!` }),
        `nats://${encodeURIComponent(PASSWORD)}@${server}`,
        nats({ servers: server }),
      ]) {
        const error = await refused(wrong);
        expect(error.code).toBe("ERR_AUTHENTICATION");
        shown.push(error, error.cause);
      }
      expect(inspect(shown, { depth: 8 })).not.toContain(PASSWORD);
      expect(inspect(shown, { depth: 8 })).not.toContain(encodeURIComponent(PASSWORD));
    });

    test("with a token", TIMEOUT, async () => {
      const { server, url } = await start({ auth: { token: PASSWORD } });
      await open(url);
      await open(natsCore({ servers: server, token: PASSWORD }));
      const error = await refused(natsCore({ servers: server, token: `${PASSWORD}!` }));
      expect(error.code).toBe("ERR_AUTHENTICATION");
      expect(inspect(error)).not.toContain(PASSWORD);
    });

    test("with the seed of an nkey", TIMEOUT, async () => {
      const [user, other] = [nkeys.createUser(), nkeys.createUser()];
      const { server } = await start({
        config: `authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`,
        jetstream: false,
      });
      const seedOf = (pair: nkeys.KeyPair): string => new TextDecoder().decode(pair.getSeed());
      await open(natsCore({ servers: server, nkey: seedOf(user) }));
      const error = await refused(natsCore({ servers: server, nkey: seedOf(other) }));
      expect(error.code).toBe("ERR_AUTHENTICATION");
      const broken = await refused(natsCore({ servers: server, nkey: `${seedOf(user).slice(0, -4)}AAAA` }));
      expect(broken.code).toBe("ERR_INVALID_OPTION");
      expect(inspect([error, broken])).not.toContain(seedOf(user).slice(2, 20));
    });

    test("with a credentials file", TIMEOUT, async () => {
      const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
      const limits = { subs: -1, data: -1, payload: -1 };
      const claims = {
        operator: jwt(operator, operator, { type: "operator" }),
        account: jwt(account, operator, {
          type: "account",
          limits: { ...limits, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
        }),
        user: jwt(user, account, { type: "user", pub: {}, sub: {}, ...limits }),
      };
      const { server } = await start({
        jetstream: false,
        config: `operator: ${claims.operator}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${claims.account} }`,
      });
      const seed = new TextDecoder().decode(user.getSeed());
      const path = join(tmpdir(), `tidings-${process.pid}-${Date.now()}.creds`);
      await writeFile(
        path,
        `-----BEGIN NATS USER JWT-----\n${claims.user}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
        { mode: 0o600 },
      );
      await open(natsCore({ servers: server, credentials: path }));
      await writeFile(path, "nothing of the kind");
      expect((await refused(natsCore({ servers: server, credentials: path }))).code).toBe("ERR_INVALID_OPTION");
      expect((await refused(natsCore({ servers: server, credentials: `${path}.missing` }))).code).toBe(
        "ERR_INVALID_OPTION",
      );
    });

    test("over TLS, with certificates on both sides", TIMEOUT, async () => {
      const { caFile, certFile, keyFile, clientCertFile, clientKeyFile, remove } = await testCertificates();
      cleanups.push(remove);
      const plain = await start({ jetstream: false });
      const encrypted = await start({ tls: { certFile, keyFile } });
      const mutual = await start({ tls: { certFile, keyFile, caFile }, jetstream: false });
      await open(nats({ servers: encrypted.server, tls: { caFile } }));
      await open(`nats://${encrypted.server}`, { tls: { caFile } });
      await open(
        natsCore({ servers: mutual.server, tls: { caFile, certFile: clientCertFile, keyFile: clientKeyFile } }),
      );
      expect((await refused(nats({ servers: encrypted.server }))).code).toBe("ERR_AUTHENTICATION");
      expect((await refused(natsCore({ servers: plain.server, tls: { caFile } }))).code).toBe("ERR_UNSUPPORTED");
    });

    test("to a server without JetStream: nats+core:// is named, and works there", TIMEOUT, async () => {
      const { server } = await start({ jetstream: false });
      const error = await refused(`nats://${server}`);
      expect(error.code).toBe("ERR_UNSUPPORTED");
      expect(error.message).toContain("nats+core://");
      await open(`nats+core://${server}`);
    });

    test("to nobody is tried again until the time is up", TIMEOUT, async () => {
      const error = await open("nats://127.0.0.1:1", { connectTimeoutMs: 500 }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "ERR_CONNECT_FAILED", retryable: true });
    });
  },
  { own: true },
);

/** A claim in NATS's dialect of JWT. */
function jwt(subject: nkeys.KeyPair, issuer: nkeys.KeyPair, claim: object): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = {
    jti: "tidings",
    iat: Math.floor(Date.now() / 1_000),
    iss: issuer.getPublicKey(),
    name: "tidings",
    sub: subject.getPublicKey(),
    nats: { version: 2, ...claim },
  };
  const signed = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(body)}`;
  return `${signed}.${Buffer.from(issuer.sign(new TextEncoder().encode(signed))).toString("base64url")}`;
}
