// go-micro's http broker: two Go processes of `go`, which are built where a Go toolchain is present.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GoPeer, goToolchain } from "../../interop/peers.mjs";
import { CONTESTANTS } from "../contestants.mjs";
import { longEnough, percentiles, trialOf, windowOf } from "../workload.mjs";

const SOURCE = fileURLToPath(new URL("go", import.meta.url));

/** How long Go may take to fetch and compile go-micro, in milliseconds. */
const BUILD_TIMEOUT_MS = 300_000;

/** Topics that messages are sent to in turn, so that none has two at once. */
const TOPICS = 64;

/** The sending process here only says when: both programs measure themselves, and end with it. */
export async function openSender() {
  const { inFlight } = CONTESTANTS["go-micro"];
  const program = build();
  const topics = ["-topics", String(TOPICS)];
  const sender = new GoPeer(program, topics);
  const receiver = new GoPeer(program, [...topics, "-beside", await sender.ready]);
  await ask(sender, { do: "connect", nodes: await receiver.ready });

  const both = async (command) => [await ask(sender, command), await ask(receiver, { do: "usage" })];
  return {
    async throughput(bodyBytes, ms) {
      const { tookMs, handled, cpuMicros, peakBytes } = await longEnough(
        (count) => run(bodyBytes, count),
        ms,
        trialOf(inFlight, bodyBytes),
      );
      return { messagesPerSecond: (handled * 1_000) / tookMs, cpuMicrosPerMessage: cpuMicros / handled, peakBytes };
    },
    async latency(bodyBytes, count, rate) {
      await ask(receiver, { do: "begin", measures: true });
      const [, { latencies }] = await both({ do: "pace", bodyBytes, count, rate });
      if (latencies.length === 0) throw new Error("no message came");
      return percentiles(latencies);
    },
  };

  /** What was lost counts as not sent. */
  async function run(bodyBytes, count) {
    const before = await both({ do: "usage" });
    await ask(receiver, { do: "begin", measures: false });
    const after = await both({ do: "run", bodyBytes, count, window: windowOf(inFlight, bodyBytes) });
    const sum = (figures, name) => figures.reduce((all, one) => all + one[name], 0);
    const [{ tookMs }, { handled }] = after;
    if (handled === 0) throw new Error("no message came");
    return {
      tookMs,
      handled,
      cpuMicros: sum(after, "cpuMicros") - sum(before, "cpuMicros"),
      peakBytes: sum(after, "peakBytes"),
    };
  }
}

/** Has a process do something; resolves with its figures. */
async function ask(peer, command) {
  await peer.do(command);
  return peer.lines.splice(0).at(-1);
}

/** Builds the program; returns its path. @throws {Error} where it cannot be built */
function build() {
  if (!goToolchain().found) throw new Error("there is no Go toolchain");
  const folder = join(tmpdir(), `tidings-bench-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "go-micro");
  const { status, error, stderr } = spawnSync("go", ["build", "-o", path, "."], {
    cwd: SOURCE,
    encoding: "utf8",
    timeout: BUILD_TIMEOUT_MS,
    env: { ...process.env, GOFLAGS: "-buildvcs=false", GOTOOLCHAIN: "local" },
  });
  if (status === 0) return path;
  const words = (error?.message ?? stderr).trim().split("\n").at(-1);
  throw new Error(`go-micro is not built: ${words.replace(/https?:\/\/[^/\s]+\//g, "")}`);
}
