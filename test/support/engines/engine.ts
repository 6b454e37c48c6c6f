/** A private engine that a test started and troubles as it likes. Nobody else uses it. */
export interface Engine {
  /** Where to connect, with the credentials that the engine was started with. */
  readonly url: string;
  readonly host: string;
  /** Stays the same over restarts. */
  readonly port: number;
  /** Stops it as an operator would and starts it again: same port, same data. Resolves when it answers. */
  restart(): Promise<void>;
  /** Freezes it: connections stay open and nothing answers. */
  pause(): void;
  /** Ends a pause. */
  resume(): void;
  /** Kills it without a chance to tidy up. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again after `kill`: same port, same data. Resolves when it answers. */
  startAgain(): Promise<void>;
  /** Breaks every client's connection from the engine's side; the engine itself runs on. */
  cutConnections(): Promise<void>;
  /** Ends it and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
  /** What it has printed so far, of all its runs. */
  log(): string;
}
