// The engines of the cells, private to the namespace that they run in.
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ENGINES, findProgram, howToGet } from "../scripts/engines.mjs";
import { until } from "./wait.mjs";

const NATS_PORT = 4222;
const AMQP_PORT = 5672;
const MAPPER_PORT = 4369;

/** How long an engine may take to listen, in milliseconds. */
const START_TIMEOUT_MS = 90_000;

/** How long an engine may take to end, in milliseconds. */
const STOP_TIMEOUT_MS = 10_000;

const none = { address: undefined, tls: undefined, reason: undefined, stop: async () => {} };

/** Starts what a transport needs; `reason` says why it cannot be had. Of HTTP over TLS: the files of `tls`. */
export async function startEngine(transport) {
  if (transport === "http") return none;
  if (transport === "https") return makeCertificates();
  const engine = ENGINES[transport];
  const program = findProgram(engine.program);
  if (program === undefined) return { ...none, reason: `no ${engine.program}: ${howToGet(engine)}` };
  const folder = await mkdtemp(join(tmpdir(), "tidings-interop-"));
  const port = transport === "nats" ? NATS_PORT : AMQP_PORT;
  const child = transport === "nats" ? spawnNats(program, port) : await spawnRabbit(program, port, folder);
  let over = false;
  child.once("exit", () => {
    over = true;
  });
  const stop = async () => {
    const ended = over || new Promise((resolve) => child.once("exit", resolve));
    if (!over) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(() => over || isOpen(port), `${engine.title} listens`, START_TIMEOUT_MS);
    if (over) throw new Error(`${engine.title} ended at once`);
  } catch (error) {
    await stop();
    return { ...none, reason: error.message };
  }
  return {
    ...none,
    address: transport === "nats" ? `127.0.0.1:${port}` : `guest:guest@127.0.0.1:${port}`,
    stop,
  };
}

/** An authority, and a certificate of it for every address of this host, with which each peer is a server and a client. */
async function makeCertificates() {
  const folder = await mkdtemp(join(tmpdir(), "tidings-interop-"));
  const file = (name) => join(folder, name);
  const addresses = Object.values(networkInterfaces()).flatMap((all) =>
    all.map(({ address }) => `IP:${address.split("%")[0]}`),
  );
  await writeFile(file("peer.ext"), `subjectAltName=${addresses.join(",")}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
  openssl("req", "-x509", ...key, "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=interop-ca");
  openssl("req", ...key, "peer.key", "-out", "peer.csr", "-subj", "/CN=interop-peer");
  openssl(
    ..."x509 -req -in peer.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile peer.ext -out peer.pem".split(
      " ",
    ),
  );
  return {
    ...none,
    tls: { caFile: file("ca.pem"), certFile: file("peer.pem"), keyFile: file("peer.key") },
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

function spawnNats(program, port) {
  return spawn(program, ["-a", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
}

// A node of its own, with its own port mapper, that shares nothing with the system's.
async function spawnRabbit(program, port, folder) {
  const file = (name) => join(folder, name);
  await writeFile(file(".erlang.cookie"), randomBytes(16).toString("hex"), { mode: 0o400 });
  await writeFile(file("plugins"), "[].\n");
  await writeFile(file("rabbitmq.conf"), `listeners.tcp.1 = 127.0.0.1:${port}\n`);
  const own = {
    PATH: process.env.PATH,
    LANG: "C.UTF-8",
    HOME: folder,
    ERL_EPMD_PORT: String(MAPPER_PORT),
    ERL_EPMD_ADDRESS: "127.0.0.1",
  };
  const mapper = spawn("epmd", ["-port", String(MAPPER_PORT), "-address", "127.0.0.1"], { stdio: "ignore", env: own });
  const env = {
    ...own,
    // The start script then becomes the node instead of waiting for it, so that signals reach the node.
    RUNNING_UNDER_SYSTEMD: "true",
    RABBITMQ_NODENAME: `interop-${process.pid}@localhost`,
    RABBITMQ_CONF_ENV_FILE: file("rabbitmq-env.conf"),
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(port + 20_000),
    RABBITMQ_CONFIG_FILE: file("rabbitmq.conf"),
    RABBITMQ_MNESIA_BASE: file("data"),
    RABBITMQ_LOG_BASE: file("log"),
    RABBITMQ_LOGS: "-",
    RABBITMQ_ENABLED_PLUGINS_FILE: file("plugins"),
    RABBITMQ_PID_FILE: file("pid"),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
  };
  const child = spawn(ownScript(program), [], { stdio: "ignore", env, cwd: folder });
  child.once("exit", () => mapper.kill());
  return child;
}

/** RabbitMQ's own script. What Debian has on the PATH hands over to the user and folders of the service, and never is run here. */
function ownScript(program) {
  const folder = dirname(realpathSync(program));
  const all = [join(dirname(folder), "lib/rabbitmq/lib"), join(dirname(folder), "lib"), folder];
  const servers = all.flatMap((one) =>
    existsSync(one) ? readdirSync(one).map((name) => join(one, name, "sbin/rabbitmq-server")) : [],
  );
  const scripts = [...servers, join(folder, "rabbitmq-server")];
  const found = scripts.find((script) => existsSync(script) && !realpathSync(script).endsWith("-wrapper"));
  if (found === undefined) throw new Error("RabbitMQ's own start script is not where it is expected");
  return found;
}

function isOpen(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
