import type { CutProcess } from "../processes/running-process.ts";
import type { Target } from "../troubles/trouble.ts";

/** Where the processes of a run meet, and how their connections are cut. */
export interface Rig {
  /** The broker's name. */
  readonly broker: string;
  /** The URL on which a process opens its broker. */
  urlOf(process: string): Promise<string>;
  /** A URL past every proxy. */
  readonly directUrl: string;
  /** Who keeps messages until they are handled. */
  readonly keptBy: "publisher" | "engine";
  /** The engine, where it is private to this run and may be troubled. */
  readonly engine: Target | undefined;
  /** Breaks the connections of a process. */
  readonly cut: CutProcess;
  /** How that is done, for the report. */
  readonly cutHow: string;
  /** Ends what it has started. Idempotent. */
  close(): Promise<void>;
}
