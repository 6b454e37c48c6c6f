/** Something that happens to a process, to the engine, or to their connections. */
export type Trouble = {
  /** When, in milliseconds from the start of the load. */
  readonly atMs: number;
  /** Whom it is meant for; whoever comes next in the list of targets gets it where that one is down already. */
  readonly target: string;
} & (
  | { readonly kind: "kill" /** How long it stays away, in milliseconds. */; readonly downMs: number }
  | { readonly kind: "pause" /** How long it is frozen, in milliseconds. */; readonly pausedMs: number }
  | { readonly kind: "cut" }
);

/** The kinds of troubles. */
export type TroubleKind = Trouble["kind"];

/** Something that can be troubled: a process, or the engine. */
export interface Target {
  readonly name: string;
  /** Whether it runs, if only just: then it can be killed. */
  readonly running: boolean;
  /** Whether it is ready and not paused: then it can be paused, and has connections. */
  readonly up: boolean;
  /** Ends it with SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again. Resolves when it is ready, or was killed before. @throws where it does not start. */
  start(): Promise<void>;
  /** Freezes it. */
  pause(): void;
  /** Ends a pause; does nothing where none is. */
  resume(): void;
  /** Breaks its connections. Resolves with how many that were. */
  cut(): Promise<number>;
}
