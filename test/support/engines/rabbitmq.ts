import { randomBytes } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { probeAmqp } from "./amqp-probe.ts";
import type { Engine } from "./engine.ts";
import { engineProcess } from "./engine-process.ts";
import { engineProgramPath } from "./engine-programs.ts";
import { probeEpmd } from "./epmd-probe.ts";
import { type Guardian, guard } from "./guardian.ts";
import { onFreePorts } from "./on-free-ports.ts";
import { type RabbitmqNode, rabbitmqNode } from "./rabbitmq-node.ts";

/** What a private RabbitMQ node is started with. */
export interface RabbitmqEngineOptions {
  /** Paths of PEM files: the node listens with TLS too, at `tlsUrl`. With `caFile`, clients must bring a certificate. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string };
  /** More lines for `rabbitmq.conf`. */
  readonly config?: string;
  /** Plugins to enable. Default none: the management plugin makes each stop 5 s longer. */
  readonly plugins?: readonly string[];
}

/** What a user may do in a vhost, as regular expressions on names. Default `.*` each. */
interface RabbitmqPermissions {
  readonly configure?: string;
  readonly write?: string;
  readonly read?: string;
}

/** A private RabbitMQ node. Its user is `guest`. */
export interface RabbitmqEngine extends Engine {
  /** `amqps:` URL of the default vhost. Only with `tls`. */
  readonly tlsUrl?: string;
  /** Makes a vhost in which `guest` may do everything, and gives its URL. Default: a name that nobody has. */
  createVhost(name?: string): Promise<{ readonly name: string; readonly url: string }>;
  /** Makes a user, who may do nothing yet. */
  addUser(user: string, password: string): Promise<void>;
  /** Lets a user into a vhost. */
  setPermissions(vhost: string, user: string, permissions?: RabbitmqPermissions): Promise<void>;
  /** Closes every client's connection (320 CONNECTION_FORCED); with a vhost, only those to it. */
  cutConnections(vhost?: string): Promise<void>;
  /** Runs `rabbitmqctl` on the node, in about half a second, and gives what it prints. */
  ctl(...args: readonly string[]): Promise<string>;
}

/**
 * Starts a RabbitMQ node of its own on free loopback ports, in a temporary folder, with a port mapper (epmd) of its own.
 * Resolves when it lets a client in, which takes about 6 s: one node for a file, a vhost for a test.
 * @throws when the program is not installed, with how to get it, or does not start, with its log.
 */
export async function startRabbitmq(options: RabbitmqEngineOptions = {}): Promise<RabbitmqEngine> {
  const program = engineProgramPath("rabbitmq");
  return onFreePorts(async () => {
    // The node starts in it: a relative path would mean another folder there than here.
    const folder = await mkdtemp(resolve(tmpdir(), "tidings-rabbitmq-"));
    const guardian = guard(folder);
    try {
      return await startIn(await rabbitmqNode(program, folder, options), guardian);
    } catch (error) {
      await guardian.finish();
      throw error;
    }
  });
}

async function startIn(node: RabbitmqNode, guardian: Guardian): Promise<RabbitmqEngine> {
  const { host, port } = node;
  const mapper = engineProcess({ ...node.mapper, probe: (signal) => probeEpmd(node.mapperPort, signal) }, guardian);
  const guest = { port, user: "guest", password: "guest", vhost: "/", node: node.shortName };
  const server = engineProcess({ ...node.server, probe: (signal) => probeAmqp(guest, signal) }, guardian);
  await mapper.start();
  await server.start();

  const setPermissions: RabbitmqEngine["setPermissions"] = async (vhost, user, permissions = {}) => {
    const { configure = ".*", write = ".*", read = ".*" } = permissions;
    await node.ctl("set_permissions", "-p", vhost, user, configure, write, read);
  };
  const url = `amqp://guest:guest@${host}:${port}`;
  return {
    url,
    host,
    port,
    ...(node.tlsPort === undefined ? {} : { tlsUrl: `amqps://guest:guest@${host}:${node.tlsPort}` }),
    async restart() {
      await server.shutDown();
      await server.start();
    },
    pause: () => server.freeze(),
    resume: () => server.signal("SIGCONT"),
    kill: () => server.kill(),
    startAgain: () => server.start(),
    async cutConnections(vhost) {
      await node.ctl(
        "close_all_connections",
        ...(vhost === undefined ? ["--global"] : ["--vhost", vhost]),
        "cut by a test",
      );
    },
    async createVhost(name = `test-${randomBytes(6).toString("hex")}`) {
      await node.ctl("add_vhost", name);
      await setPermissions(name, "guest");
      return { name, url: `${url}/${encodeURIComponent(name)}` };
    },
    async addUser(user, password) {
      await node.ctl("add_user", user, password);
    },
    setPermissions,
    ctl: (...args) => node.ctl(...args),
    async stop() {
      await server.kill();
      await mapper.kill();
      server.log();
      await guardian.finish();
    },
    log: () => server.log(),
  };
}
