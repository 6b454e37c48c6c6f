import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { type OwnFolder, ownFolder, RunningProgram } from "../cli/tidings-process.ts";

const DEMO = fileURLToPath(new URL("../../scripts/demo.mjs", import.meta.url));

let folder: OwnFolder | undefined;
const running: RunningProgram[] = [];

afterEach(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map(({ ended }) => ended));
  folder?.remove();
  folder = undefined;
});

function start(args: readonly string[], path: string = DEMO): RunningProgram {
  folder ??= ownFolder();
  const program = new RunningProgram(process.execPath, [path, ...args], folder.env);
  running.push(program);
  return program;
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
    [["--broker", "pigeon"], 2, /^ERR_INVALID_OPTION: .*nats.*pigeon/],
  ])("with %j has status %i and says why", async (args, status, err) => {
    const program = start(args);
    await program.endsWith(status);
    expect(program.err).toMatch(err);
  });
});

describe("the demo's programs", () => {
  const program = (name: string) => fileURLToPath(new URL(`../../demo/${name}.mjs`, import.meta.url));

  test("run by hand too, as services of their own", async () => {
    const object = start(["--server-id", "mine"], program("object-subscriber"));
    const member = start(["--server-id=own"], program("queue-subscriber"));
    await Promise.all([object.hasLines(1), member.hasLines(1)]);
    await start(["--messages", "2", "--interval-ms", "1"], program("publisher")).endsWith(0);
    object.child.kill("SIGTERM");
    member.child.kill("SIGINT");
    await Promise.all([object.endsWith(0), member.endsWith(0)]);
    expect(object.out.match(/mine\.first/g)).toHaveLength(2);
    expect(object.out.match(/mine\.second/g)).toHaveLength(2);
    expect(member.out.match(/own/g)).toHaveLength(2);
  });
});
