// The engines that tests use: where they are, and how to get them.
//
// An engine is a URL in its variable, or a program on the PATH from which tests start private servers. Tests that need one
// that is not there are skipped. With TIDINGS_TEST_ENGINES=install a missing engine is installed from the system's packages
// (Debian and its kin, as root, without starting its service), and one that is still missing is a failure.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The engines, by the names that tests use. `package` is Debian's. */
export const ENGINES = {
  nats: {
    title: "NATS",
    program: "nats-server",
    package: "nats-server",
    variable: "TIDINGS_TEST_NATS_URL",
    version: (path) => spawnSync(path, ["--version"], { encoding: "utf8" }).stdout?.match(/v(\d[\w.-]*)/)?.[1],
  },
  rabbitmq: {
    title: "RabbitMQ",
    program: "rabbitmq-server",
    package: "rabbitmq-server",
    variable: "TIDINGS_TEST_RABBITMQ_URL",
    // Asking the program takes as long as starting Erlang; the name of the folder that it is run from has the version.
    version: (path) => {
      const real = realpathSync(path);
      const folders = ["../../lib", "../../lib/rabbitmq/lib"].map((folder) => join(real, folder)).filter(existsSync);
      const names = [real, ...folders.flatMap((folder) => readdirSync(folder))];
      return names
        .map((name) => name.match(/rabbitmq_server-(\d[\w.-]*)/)?.[1])
        .find((version) => version !== undefined);
    },
  },
};

/** Where servers are often installed without being on the PATH of ordinary users. */
const MORE_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/usr/local/bin"];

/** What Debian's packages ask before they start a service, and the answer that forbids it. */
const POLICY = "/usr/sbin/policy-rc.d";
const FORBIDDEN = 101;

/** The path of a program on the PATH or among the folders of servers, or `undefined`. */
export function findProgram(name, env = process.env) {
  const folders = [...(env.PATH ?? "").split(delimiter).filter((folder) => folder !== ""), ...MORE_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** Whether a missing engine is a failure, and was to be installed. */
export function mustHaveEngines(env = process.env) {
  return env.TIDINGS_TEST_ENGINES === "install";
}

/** How somebody gets an engine, for those who do not have it. */
export function howToGet(engine) {
  return `apt-get install ${engine.package}, or set ${engine.variable}, or let TIDINGS_TEST_ENGINES=install do it`;
}

/**
 * Looks for every engine, installs what is missing where that is asked for, and says in one line each what there is.
 * @returns whether the tests may run: `false` when an engine that must be there is not.
 */
export function prepareEngines(env = process.env, engines = Object.values(ENGINES)) {
  const missing = engines.filter((engine) => !env[engine.variable] && !findProgram(engine.program, env));
  const installed = mustHaveEngines(env) && missing.length > 0 ? install(missing, env) : undefined;
  let complete = true;
  for (const engine of engines) {
    const path = findProgram(engine.program, env);
    if (env[engine.variable]) say(engine, `found by ${engine.variable}`);
    else if (path !== undefined)
      say(engine, `${missing.includes(engine) ? "installed" : "found"} ${describe(engine, path)}`);
    else if (mustHaveEngines(env)) {
      complete = false;
      say(engine, `missing, and could not be installed: ${installed ?? "the package has no such program"}`);
    } else say(engine, `skipped: no ${engine.program} on the PATH; to get it: ${howToGet(engine)}`);
  }
  return complete;
}

function say(engine, text) {
  console.log(`engines: ${engine.title}: ${text}`);
}

function describe(engine, path) {
  return `(${engine.program} ${engine.version(path) ?? "of unknown version"}, ${path})`;
}

/** Installs the packages of engines. Returns why that failed, or `undefined`. */
function install(engines, env) {
  if (process.getuid?.() !== 0) return "only root may install packages";
  if (findProgram("apt-get", env) === undefined) return "this system has no apt-get";
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, `#!/bin/sh\nexit ${FORBIDDEN}\n`, { mode: 0o755 });
  try {
    const allowing = engines.filter((engine) => spawnSync(POLICY, [engine.package, "start"]).status !== FORBIDDEN);
    if (allowing.length > 0) return `${POLICY} would let the service start; install the package yourself`;
    const args = ["install", "-y", "--no-install-recommends", ...engines.map((engine) => engine.package)];
    // The first try needs no network where the lists are fresh; the lists of a fresh container are not.
    if (aptGet(args, env) || (aptGet(["update"], env) && aptGet(args, env))) return undefined;
    return "apt-get failed";
  } finally {
    if (ours) rmSync(POLICY);
  }
}

function aptGet(args, env) {
  console.log(`engines: apt-get ${args.join(" ")}`);
  const settings = { encoding: "utf8", env: { ...env, DEBIAN_FRONTEND: "noninteractive" } };
  const { status, stdout, stderr } = spawnSync("apt-get", ["-q", ...args], settings);
  if (status !== 0) console.log(`${stdout}${stderr}`);
  return status === 0;
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: the next folder may have it.
    return false;
  }
}
