import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { type OwnFolder, ownFolder, RunningProgram } from "../cli/tidings-process.ts";

const DEMO = fileURLToPath(new URL("../../scripts/demo.mjs", import.meta.url));

let folder: OwnFolder | undefined;
let demo: RunningProgram | undefined;

afterEach(async () => {
  demo?.child.kill("SIGKILL");
  await demo?.ended;
  folder?.remove();
});

function start(args: readonly string[]): RunningProgram {
  folder = ownFolder();
  demo = new RunningProgram(process.execPath, [DEMO, ...args], folder.env);
  return demo;
}

// `ended` waits until the pipes are closed. The demo's processes hold them too, so that none of them is left then.
describe("the demo", () => {
  test("with --messages 20 publishes 40, loses none, and ends by itself", async () => {
    const program = start(["--messages", "20"]);
    await program.endsWith(0);
    expect(program.lines.at(-1)).toBe(
      '{"published":40,"received":{"pubsub.1":40,"pubsub.2":20},"lost":0,"duplicates":0}',
    );
    for (const name of ["object", "member-1", "member-2"])
      expect(program.out).toMatch(new RegExp(`^${name}: received `, "m"));
    expect(program.err.replace(/^build: .*\n/, "")).toBe("");
  });

  test("without it runs until Ctrl-C, and sums up", async () => {
    const program = start([]);
    await program.hasLines(10);
    program.child.kill("SIGINT");
    await program.endsWith(0);
    expect(program.lines.slice(-4)).toEqual([
      expect.stringMatching(/^object: received object\.first [1-9]\d*, object\.second [1-9]\d*$/),
      expect.stringMatching(/^member-1: received \d+$/),
      expect.stringMatching(/^member-2: received \d+$/),
      expect.stringMatching(/^published: \d+, lost: 0, duplicates: 0$/),
    ]);
  });

  test("leaves no process behind when it is killed", async () => {
    const program = start([]);
    await program.hasLines(2);
    program.child.kill("SIGKILL");
    await program.endsWith("SIGKILL");
  });

  test.each([
    [["--broker", "memory"], 1, /^ERR_UNSUPPORTED: .*processes/],
    [["--broker", "http", "--broker-address", "127.0.0.1:7000"], 2, /^ERR_INVALID_OPTION: .*port/],
    [["--messages", "0"], 2, /^ERR_INVALID_OPTION: --messages/],
    [["--nonsense"], 2, /^ERR_INVALID_OPTION: .*--nonsense/],
    [["--broker", "nats", "--broker-address", "127.0.0.1:4222"], 1, /^ERR_UNSUPPORTED: .*nats/],
  ])("with %j has status %i and says why", async (args, status, err) => {
    const program = start(args);
    await program.endsWith(status);
    expect(program.err).toMatch(err);
  });
});
