import { setTimeout as delay } from "node:timers/promises";
import type { Target, Trouble, TroubleKind } from "./trouble.ts";

/** How soon it looks again for somebody to trouble where all are down, in milliseconds. */
const LOOK_AGAIN_MS = 20;

/** What was done to whom. */
export interface Done {
  /** How often, by kind. */
  readonly counts: Record<TroubleKind, number>;
  /** How many connections the cuts broke. */
  connections: number;
  /** How often each target was killed. */
  readonly killed: Record<string, number>;
}

/** Carries out a schedule. */
export class Troublemaker {
  readonly done: Done = { counts: { kill: 0, pause: 0, cut: 0 }, connections: 0, killed: {} };
  readonly #targets: readonly Target[];
  readonly #consequences: Promise<void>[] = [];
  readonly #failed = new AbortController();
  #through = false;

  constructor(targets: readonly Target[]) {
    this.#targets = targets;
  }

  /** Whether every trouble of the schedule has happened, or begun. */
  get through(): boolean {
    return this.#through;
  }

  /**
   * Does each trouble at its time, or as soon after it as somebody is there to be troubled, until the signal ends it. Resolves when everybody that was killed or paused runs again.
   * @throws what a target throws that does not start
   */
  async run(troubles: readonly Trouble[], stop: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([stop, this.#failed.signal]);
    const startedAt = performance.now();
    for (const trouble of troubles) {
      await wait(trouble.atMs - (performance.now() - startedAt), ended);
      const target = await this.#find(trouble, ended);
      if (target === undefined) break;
      // Killed and paused processes come back in their own time, while others are troubled.
      this.#consequences.push(
        this.#happen(trouble, target, ended).catch((error: unknown) => this.#failed.abort(error)),
      );
    }
    this.#through = true;
    await Promise.all(this.#consequences);
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason;
  }

  async #find({ kind, target: name }: Trouble, ended: AbortSignal): Promise<Target | undefined> {
    const first = this.#targets.findIndex((target) => target.name === name);
    const inTurn = [...this.#targets.slice(first), ...this.#targets.slice(0, first)];
    while (!ended.aborted) {
      const found = inTurn.find((target) => (kind === "kill" ? target.running : target.up));
      if (found !== undefined) return found;
      await wait(LOOK_AGAIN_MS, ended);
    }
    return undefined;
  }

  async #happen(trouble: Trouble, target: Target, ended: AbortSignal): Promise<void> {
    const { counts, killed } = this.done;
    counts[trouble.kind] += 1;
    switch (trouble.kind) {
      case "kill":
        killed[target.name] = (killed[target.name] ?? 0) + 1;
        await target.kill();
        await wait(trouble.downMs, ended);
        await target.start();
        break;
      case "pause":
        target.pause();
        await wait(trouble.pausedMs, ended);
        target.resume();
        break;
      case "cut":
        this.done.connections += await target.cut();
        break;
    }
  }
}

/** Waits so long, or until the signal. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  // It rejects at the signal only.
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
