import { Progress } from "../src/cli/progress.ts";
import type { Output } from "../src/cli/terminal.ts";

const WIDTH = 24;

/** What the progress bar shows beside the time. */
export interface ProgressState {
  readonly phase: string;
  /** How much of the phase is over, from 0 to 1. */
  readonly share: number;
  readonly sent: number;
  readonly acknowledged: number;
  /** Handler starts. */
  readonly received: number;
  readonly troubles: number;
}

/** One line on a terminal, which is redrawn; nothing where the stream is none. */
export class ProgressBar {
  readonly #line: Progress;
  #state: ProgressState | undefined;

  constructor(stream: Output) {
    this.#line = new Progress(stream, () => (this.#state === undefined ? "" : describeProgress(this.#state)));
  }

  /** Shows a state, at most five times a second. */
  show(state: ProgressState): void {
    this.#state = state;
    this.#line.update(state.sent);
  }

  /** Removes the line. Idempotent. */
  clear(): void {
    this.#line.clear();
  }
}

/** The text of the bar. */
export function describeProgress(state: ProgressState): string {
  const { phase, share, sent, acknowledged, received, troubles } = state;
  const full = Math.round(Math.min(1, Math.max(0, share)) * WIDTH);
  const bar = `[${"#".repeat(full)}${"-".repeat(WIDTH - full)}]`;
  return `${phase} ${bar} sent ${sent}, acknowledged ${acknowledged}, received ${received}, troubles ${troubles}`;
}
