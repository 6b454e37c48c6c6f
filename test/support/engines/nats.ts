import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { until } from "../../../src/testing/index.ts";
import { cutByKernel } from "./cut-by-kernel.ts";
import type { Engine } from "./engine.ts";
import { type EngineProcess, engineProcess } from "./engine-process.ts";
import { engineProgramPath } from "./engine-programs.ts";
import { freePort } from "./free-port.ts";
import { type Guardian, guard } from "./guardian.ts";
import { type NatsCredentials, probeNats } from "./nats-probe.ts";
import { onFreePorts } from "./on-free-ports.ts";

/** What a private NATS server is started with. */
export interface NatsEngineOptions {
  /** Default true. Its store is in the engine's folder and survives restarts. */
  readonly jetstream?: boolean;
  /** What clients must log in with. The engine's `url` has it. */
  readonly auth?: NatsCredentials;
  /** Paths of PEM files. With `caFile`, clients must bring a certificate that it has signed. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string };
  /** The port for the other servers of its cluster, and theirs. JetStream may have no leader yet when it answers. */
  readonly cluster?: { readonly name: string; readonly port: number; readonly routes: readonly number[] };
  /** More lines for the server's configuration file. */
  readonly config?: string;
}

/** A private NATS server. */
export interface NatsEngine extends Engine {
  /** Replaces the lines of `config`. Resolves when the running server has read them. @throws when it refuses them. */
  reconfigure(config: string): Promise<void>;
}

/**
 * Starts a `nats-server` of its own on a free loopback port, in a temporary folder. Resolves when it answers.
 * @throws when the program is not installed, with how to get it, or does not start, with its log.
 */
export async function startNats(options: NatsEngineOptions = {}): Promise<NatsEngine> {
  const command = engineProgramPath("nats");
  return onFreePorts(async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidings-nats-"));
    const guardian = guard(folder);
    try {
      return await startIn(folder, guardian, command, options);
    } catch (error) {
      await guardian.finish();
      throw error;
    }
  });
}

async function startIn(
  folder: string,
  guardian: Guardian,
  command: string,
  options: NatsEngineOptions,
): Promise<NatsEngine> {
  const { jetstream = true, auth, cluster } = options;
  const [host, port] = ["127.0.0.1", await freePort()];
  const serverName = `tidings-${process.pid}-${port}`;
  const configFile = join(folder, "nats.conf");
  const settings = [
    `server_name: ${serverName}`,
    `listen: "${host}:${port}"`,
    ...(jetstream ? [`jetstream { store_dir: "${join(folder, "store")}" }`] : []),
    ...clusterOf(options, host),
    ...securityOf(options),
  ];
  const probed = { port, serverName, jetstream: jetstream && cluster === undefined };
  const configure = (more = ""): Promise<void> => writeFile(configFile, `${[...settings, more].join("\n")}\n`);
  await configure(options.config);
  const server: EngineProcess = engineProcess(
    {
      name: "nats-server",
      command,
      args: ["-c", configFile],
      env: { ...process.env, HOME: folder },
      folder,
      probe: (signal) => probeNats({ ...probed, ...(auth === undefined ? {} : { auth }) }, signal),
    },
    guardian,
  );
  await server.start();
  return {
    url: `nats://${userInfo(auth)}${host}:${port}`,
    host,
    port,
    async restart() {
      await server.shutDown();
      await server.start();
    },
    pause: () => server.freeze(),
    resume: () => server.signal("SIGCONT"),
    kill: () => server.kill(),
    startAgain: () => server.start(),
    async cutConnections() {
      // No command of nats-server closes connections before 2.10: the kernel does it, on the server's side of them. Where
      // it cannot, the connections break with the server, which is back at once.
      if (await cutByKernel(port)) return;
      await server.kill();
      await server.start();
    },
    async reconfigure(config) {
      const before = server.log().length;
      await configure(config);
      server.signal("SIGHUP");
      const said = (): string => server.log().slice(before);
      await until(() => /Reloaded server configuration|Failed to reload/.test(said()), {
        what: "the server has read its configuration",
        detail: said,
      });
      if (/Failed to reload/.test(said())) throw new Error(said().trim());
    },
    async stop() {
      await server.kill();
      server.log();
      await guardian.finish();
    },
    log: () => server.log(),
  };
}

function userInfo(auth: NatsCredentials | undefined): string {
  if (auth === undefined) return "";
  if ("token" in auth) return `${encodeURIComponent(auth.token)}@`;
  return `${encodeURIComponent(auth.user)}:${encodeURIComponent(auth.password)}@`;
}

/** The line of the configuration that says where the other servers of the cluster are. */
function clusterOf({ cluster }: NatsEngineOptions, host: string): string[] {
  if (cluster === undefined) return [];
  const { name, port, routes } = cluster;
  return [
    `cluster ${JSON.stringify({ name, listen: `${host}:${port}`, routes: routes.map((other) => `nats://${host}:${other}`) })}`,
  ];
}

/** The lines of the configuration that say who may connect, and how. */
function securityOf({ auth, tls }: NatsEngineOptions): string[] {
  const lines: string[] = [];
  if (auth !== undefined) {
    const login = "token" in auth ? { token: auth.token } : { user: auth.user, password: auth.password };
    lines.push(`authorization ${JSON.stringify(login)}`);
  }
  if (tls !== undefined) {
    const files = { cert_file: tls.certFile, key_file: tls.keyFile };
    const mutual = tls.caFile === undefined ? {} : { ca_file: tls.caFile, verify: true };
    lines.push(`tls ${JSON.stringify({ ...files, ...mutual })}`);
  }
  return lines;
}
