import { expect, test } from "vitest";
import type { Target, Trouble } from "../../chaos/troubles/trouble.ts";
import { Troublemaker } from "../../chaos/troubles/troublemaker.ts";

/** Something to trouble that only remembers. */
class Remembering implements Target {
  readonly name: string;
  readonly log: string[] = [];
  running = true;
  up = true;
  failsToStart = false;

  constructor(name: string) {
    this.name = name;
  }

  async kill(): Promise<void> {
    this.running = false;
    this.up = false;
    this.log.push("kill");
  }

  async start(): Promise<void> {
    if (this.failsToStart) throw new Error(`${this.name} does not start`);
    this.running = true;
    this.up = true;
    this.log.push("start");
  }

  pause(): void {
    this.up = false;
    this.log.push("pause");
  }

  resume(): void {
    this.up = true;
    this.log.push("resume");
  }

  async cut(): Promise<number> {
    this.log.push("cut");
    return 3;
  }
}

const kill = (target: string, downMs = 1): Trouble => ({ kind: "kill", atMs: 0, target, downMs });

test("everybody that was killed or paused runs again in the end, and all is counted", async () => {
  const [a, b] = [new Remembering("a"), new Remembering("b")];
  const maker = new Troublemaker([a, b]);
  const troubles: Trouble[] = [
    kill("a"),
    { kind: "pause", atMs: 1, target: "b", pausedMs: 1 },
    { kind: "cut", atMs: 300, target: "b" },
  ];
  await maker.run(troubles, new AbortController().signal);
  expect(a.log).toEqual(["kill", "start"]);
  expect(b.log).toEqual(["pause", "resume", "cut"]);
  expect(maker.done).toEqual({ counts: { kill: 1, pause: 1, cut: 1 }, connections: 3, killed: { a: 1 } });
});

test("who is down already is not troubled: the next in turn is, and a paused one can still be killed", async () => {
  const [a, b] = [new Remembering("a"), new Remembering("b")];
  const maker = new Troublemaker([a, b]);
  await maker.run([kill("b", 60_000), kill("b", 60_000)].slice(0, 1), AbortSignal.abort());
  expect(maker.done.counts.kill).toBe(0);

  const stop = new AbortController();
  const pause: Trouble = { kind: "pause", atMs: 0, target: "a", pausedMs: 60_000 };
  const running = maker.run([kill("b", 60_000), pause, kill("b", 60_000)], stop.signal);
  await expect.poll(() => maker.done.counts).toEqual({ kill: 2, pause: 1, cut: 0 });
  expect(maker.done.killed).toEqual({ a: 1, b: 1 });
  expect(a.log).toEqual(["pause", "kill"]);
  stop.abort();
  await running;
  expect([a.running, b.running]).toEqual([true, true]);
});

test("a target that does not start ends the troubles, and is told", async () => {
  const a = new Remembering("a");
  a.failsToStart = true;
  const maker = new Troublemaker([a]);
  const late: Trouble = { kind: "cut", atMs: 600_000, target: "a" };
  await expect(maker.run([kill("a"), late], new AbortController().signal)).rejects.toThrow("a does not start");
});
