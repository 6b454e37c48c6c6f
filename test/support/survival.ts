/**
 * What an at-least-once broker must survive, the same for every engine: processes of their own publish and receive while
 * the engine, their connections and the processes themselves are troubled. The built package runs in those processes, as
 * with users. Each function prints a report in one line and resolves with it; what must hold is the test's to assert.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { DeadLetter } from "../../src/driver.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { Crew, DRAIN_TIMEOUT_MS, type End, print, type SurvivalReport, type SurvivalRig } from "./survival/crew.ts";
import type { Got, MemberArguments, Survivor } from "./survival/survivor.ts";

export type { SurvivalReport, SurvivalRig } from "./survival/crew.ts";

/** How much is sent, and what happens meanwhile. */
export interface TroubleOptions {
  /** Default 5,000. */
  readonly messages?: number;
  /** Default 4. */
  readonly publishers?: number;
  /** Default 3. */
  readonly members?: number;
  /** How often the engine is killed and started again. Default 2. */
  readonly engineKills?: number;
  /** How often the connections are cut. Default 10. */
  readonly cuts?: number;
  /** How many members are killed. Default 1. */
  readonly memberKills?: number;
  /** How long the publishers take at least, in milliseconds: trouble needs time to meet them. Default 10,000. */
  readonly lastsMs?: number;
}

/** How long the engine stays away, in milliseconds. */
const DOWN_MS = 300;

/** Load with the engine killed and started again, members killed and connections cut meanwhile, evenly over the load. */
export async function surviveTrouble(rig: SurvivalRig, options: TroubleOptions = {}): Promise<SurvivalReport> {
  const { messages = 5_000, publishers = 4, members = 3, lastsMs = 10_000 } = options;
  const { engineKills = 2, cuts = 10, memberKills = 1 } = options;
  return withCrew(rig, async (crew) => {
    for (let index = 0; index < members; index += 1)
      await crew.member(`member-${index}`, [{ queue: "survivors", handlerMs: 2 }]);
    await crew.publish(publishers, messages, lastsMs);
    let connectionsCut = 0;
    const cut = async (): Promise<void> => {
      // A cut that meets nobody, because everybody is still coming back, is no cut.
      connectionsCut += await until(() => rig.cut(), { what: "there was a connection to cut" });
    };
    const kill = async (): Promise<void> => {
      await rig.engine.kill();
      await pause(DOWN_MS);
      await rig.engine.startAgain();
    };
    let killed = 0;
    const troubles = [
      ...spread(cuts, cut),
      ...spread(engineKills, kill),
      ...spread(memberKills, async () => crew.killMember(killed++)),
    ].sort((one, other) => one.at - other.at);
    for (const { at, happen } of troubles) {
      await crew.untilTaken(Math.floor(at * messages));
      await happen();
    }
    await crew.untilTaken(messages);
    return crew.report("killed, cut and restarted", "survivors", connectionsCut);
  });
}

/** What became of a load while members and a publisher were told to end. */
export interface TerminationReport extends SurvivalReport {
  /** How each process that was told to end did. */
  readonly ends: readonly End[];
  readonly drainTimeoutMs: number;
  /** The highest attempt that was seen. */
  readonly highestAttempt: number;
}

/** Load under which two of three members and one of three publishers get SIGTERM; handlers may be tried once. */
export async function surviveTermination(rig: SurvivalRig, messages = 1_500): Promise<TerminationReport> {
  return withCrew(rig, async (crew) => {
    const queue = "terminated";
    const options = { concurrency: 4, prefetch: 12, maxAttempts: 1 };
    const members: Survivor[] = [];
    for (let index = 0; index < 3; index += 1)
      members.push(await crew.member(`member-${index}`, [{ queue, handlerMs: 5, options }]));
    const [publisher] = await crew.publish(3, messages, 4_000);
    const ends: End[] = [];
    for (const [survivor, at] of [
      [members[0], 1 / 4],
      [publisher, 1 / 3],
      [members[1], 1 / 2],
    ] as const) {
      await crew.untilTaken(Math.floor(at * messages));
      if (survivor !== undefined) ends.push(await crew.terminate(survivor));
    }
    await crew.untilPublished();
    const report = await crew.report("ended with SIGTERM", queue, 0);
    const highestAttempt = crew.got(queue).reduce((highest, { attempt }) => Math.max(highest, attempt), 0);
    const full = { ...report, ends, drainTimeoutMs: DRAIN_TIMEOUT_MS, highestAttempt };
    print(
      rig,
      `highest attempt ${highestAttempt}, ${ends.map((end) => `${end.name} ended in ${end.tookMs} ms`).join(", ")}`,
    );
    return full;
  });
}

/** What became of messages whose handler always fails in one queue, while members were restarted. */
export interface RollingReport extends SurvivalReport {
  readonly restarts: number;
  readonly maxAttempts: number;
  /** Of each message that fails: the attempts with which its handler was started, in order. */
  readonly attempts: readonly (readonly number[])[];
  /** How often the other queue got each of them. */
  readonly elsewhere: readonly number[];
  readonly letters: readonly DeadLetter[];
}

/** Ten rolling restarts of two members of two queues; in one of them the handler of some messages always fails. */
export async function surviveRollingRestarts(rig: SurvivalRig, messages = 1_000): Promise<RollingReport> {
  return withCrew(rig, async (crew) => {
    const [restarts, poisons, maxAttempts] = [10, 5, 8];
    const subscriptions: MemberArguments["subscriptions"] = [
      {
        queue: "failing",
        handlerMs: 2,
        failing: "poison",
        options: { maxAttempts, backoffMs: 500, maxBackoffMs: 1_000 },
      },
      { queue: "flowing", handlerMs: 2, options: { maxAttempts: 1 } },
    ];
    const members = [await crew.member("member-0", subscriptions), await crew.member("member-1", subscriptions)];
    await crew.publish(2, messages, 8_000);
    await crew.publish(1, poisons, 100, "poison");
    for (let restart = 0; restart < restarts; restart += 1) {
      const seen = crew.got("flowing").length;
      members.push(await crew.member(`member-${members.length}`, subscriptions));
      const oldest = members[restart];
      if (oldest !== undefined) await crew.terminate(oldest);
      await crew.until(
        `messages flow after restart ${restart + 1}`,
        () => crew.allPublished || crew.got("flowing").length > seen,
      );
    }
    await crew.untilTaken(messages + poisons);
    const letters = await crew.untilDead(poisons);
    const report = await crew.report("members restarted", "flowing", 0);
    const poisoned = Array.from({ length: poisons }, (_, number) => `poison-0#${number}`);
    const startsOf = (queue: string, text: string): readonly Got[] =>
      crew
        .got(queue)
        .filter((got) => got.text === text)
        .sort((one, other) => one.at - other.at);
    const attempts = poisoned.map((text) => startsOf("failing", text).map(({ attempt }) => attempt));
    print(rig, `attempts of what always fails: ${attempts.map((list) => list.join(" ")).join(" | ")}`);
    const elsewhere = poisoned.map((text) => startsOf("flowing", text).length);
    return { ...report, restarts, maxAttempts, attempts, elsewhere, letters };
  });
}

async function withCrew<T>(rig: SurvivalRig, run: (crew: Crew) => Promise<T>): Promise<T> {
  const crew = new Crew(rig);
  try {
    return await run(crew);
  } finally {
    await crew.close();
  }
}

/** `count` troubles, evenly over a load: at which share of it each happens. */
function spread(count: number, happen: () => Promise<void>): { at: number; happen: () => Promise<void> }[] {
  return Array.from({ length: count }, (_, index) => ({ at: (index + 1) / (count + 1), happen }));
}
