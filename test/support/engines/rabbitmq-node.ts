import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import type { EngineProgram } from "./engine-process.ts";
import { freePort } from "./free-port.ts";
import type { RabbitmqEngineOptions } from "./rabbitmq.ts";

const run = promisify(execFile);
const CTL_DEADLINE_MS = 60_000;

/** A RabbitMQ node whose files are written and whose ports are chosen; nothing of it runs yet. */
export interface RabbitmqNode {
  readonly host: string;
  readonly port: number;
  readonly tlsPort?: number;
  readonly mapperPort: number;
  /** What the node calls itself, without the host. */
  readonly shortName: string;
  /** Its own port mapper. The system's, or one that the node starts by itself, would outlive it. */
  readonly mapper: Omit<EngineProgram, "probe">;
  readonly server: Omit<EngineProgram, "probe">;
  /** Runs `rabbitmqctl` on the node. @throws with what it prints. */
  ctl(...args: readonly string[]): Promise<string>;
}

/** Prepares a node in a folder, on free ports, that shares nothing with the system's own. */
export async function rabbitmqNode(
  program: string,
  folder: string,
  options: RabbitmqEngineOptions,
): Promise<RabbitmqNode> {
  const [host, port, mapperPort, distributionPort] = [
    "127.0.0.1",
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const tlsPort = options.tls === undefined ? undefined : await freePort();
  const shortName = `tidings-${process.pid}-${port}`;
  const scripts = scriptsFolder(program);
  const file = (name: string): string => join(folder, name);

  await mkdir(file("mapper"));
  await writeFile(file(".erlang.cookie"), randomBytes(16).toString("hex"), { mode: 0o400 });
  await writeFile(file("plugins"), `[${(options.plugins ?? []).join(",")}].\n`);
  await writeFile(file("rabbitmq.conf"), configOf(host, port, tlsPort, options));
  const env = {
    PATH: process.env["PATH"],
    LANG: "C.UTF-8",
    HOME: folder,
    ERL_EPMD_PORT: `${mapperPort}`,
    ERL_EPMD_ADDRESS: host,
    RABBITMQ_NODENAME: `${shortName}@localhost`,
    // A file that is not there: the system's settings are for the system's node.
    RABBITMQ_CONF_ENV_FILE: file("rabbitmq-env.conf"),
  };

  return {
    host,
    port,
    ...(tlsPort === undefined ? {} : { tlsPort }),
    mapperPort,
    shortName,
    mapper: {
      name: "epmd",
      command: "epmd",
      args: ["-port", `${mapperPort}`, "-address", host],
      env,
      folder: file("mapper"),
    },
    server: {
      name: "rabbitmq-server",
      command: join(scripts, "rabbitmq-server"),
      args: [],
      env: {
        ...env,
        // The start script then becomes the node instead of waiting for it, so that signals reach the node.
        RUNNING_UNDER_SYSTEMD: "true",
        RABBITMQ_NODE_PORT: `${port}`,
        RABBITMQ_DIST_PORT: `${distributionPort}`,
        RABBITMQ_CONFIG_FILE: file("rabbitmq.conf"),
        RABBITMQ_MNESIA_BASE: file("data"),
        RABBITMQ_LOG_BASE: file("log"),
        RABBITMQ_LOGS: "-",
        RABBITMQ_ENABLED_PLUGINS_FILE: file("plugins"),
        RABBITMQ_PID_FILE: file("pid"),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
      },
      folder,
    },
    async ctl(...args) {
      const { stdout } = await run(join(scripts, "rabbitmqctl"), ["--quiet", ...args], {
        cwd: folder,
        env,
        timeout: CTL_DEADLINE_MS,
      });
      return stdout;
    },
  };
}

/** Where RabbitMQ's own scripts are. What Debian has on the PATH hands over to the user and folders of the service. */
function scriptsFolder(program: string): string {
  const here = dirname(realpathSync(program));
  const own = join(dirname(here), "lib/rabbitmq/bin");
  return existsSync(join(own, "rabbitmq-server")) ? own : here;
}

function configOf(host: string, port: number, tlsPort: number | undefined, options: RabbitmqEngineOptions): string {
  const { tls, config = "" } = options;
  const lines = [`listeners.tcp.1 = ${host}:${port}`, "log.console = true", "log.console.level = info"];
  if (tls !== undefined) {
    lines.push(
      `listeners.ssl.1 = ${host}:${tlsPort}`,
      `ssl_options.certfile = ${tls.certFile}`,
      `ssl_options.keyfile = ${tls.keyFile}`,
    );
    if (tls.caFile !== undefined) {
      lines.push(
        `ssl_options.cacertfile = ${tls.caFile}`,
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = true",
      );
    }
  }
  return `${[...lines, config].join("\n")}\n`;
}
