// npm run test:interop: real go-micro peers against Tidings, each way, and a table of what came of it.
//
//   --messages N       messages in each cell (default 1000)
//   --version v4.10    only this version of go-micro; may be given several times
//   --transport http   only this transport: http, https, nats or rabbitmq
//   --level broker     only this level: broker, json or protobuf
//   --build-minutes N  how long building the peers may take in all (default 60); what is not built by then is named
//   --parallel N       how many rows at a time (default 1)
//   --json             the result as one line of JSON at the end
//   --record           instead of all that: writes what the peers really send to test/fixtures/go-micro, for the tests
//
// It needs a Go toolchain, which builds the peers from go-micro's published modules, and a network namespace of its own, so
// that no multicast packet leaves the machine (Linux, as root). What is missing is named; in CI a missing toolchain is a failure.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isInside, namespaceRefusal, runInside } from "../interop/namespace.mjs";
import { buildPeer, goToolchain, VERSIONS } from "../interop/peers.mjs";
import { ensureBuilt } from "./ensure-built.mjs";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1000" },
    version: { type: "string", multiple: true },
    transport: { type: "string", multiple: true },
    level: { type: "string", multiple: true },
    "build-minutes": { type: "string", default: "60" },
    parallel: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
  },
});

ensureBuilt();

if (isInside()) {
  const { runMatrix } = await import("../interop/matrix.mjs");
  const { record } = await import("../interop/record.mjs");
  process.exitCode = await (values.record ? record(values) : runMatrix(values));
} else {
  process.exitCode = await prepare();
}

/** Builds the peers, which needs the network that there is, and then runs the rest where there is none. */
async function prepare() {
  const toolchain = goToolchain();
  const refusal = namespaceRefusal();
  if (!toolchain.found || refusal !== undefined) {
    const lacks = toolchain.found ? refusal : "no Go toolchain on the PATH (https://go.dev/dl)";
    console.log(`interop: skipped: ${lacks}`);
    return toolchain.found || !toolchain.required ? 0 : 1;
  }
  console.log(`interop: ${toolchain.version}`);
  const deadlineAt = performance.now() + Number(values["build-minutes"]) * 60_000;
  for (const version of VERSIONS) {
    if (values.version !== undefined && !values.version.includes(version.name)) continue;
    const { path, reason } = buildPeer(version, deadlineAt - performance.now());
    console.log(`interop: go-micro ${version.name}: ${reason === undefined ? "built" : `cannot be had: ${reason}`}`);
    process.env[version.variable] = path ?? "";
    process.env[`${version.variable}_REASON`] = reason ?? "";
  }
  return runInside(process.execPath, [fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
}
