import type { Readable, Writable } from "node:stream";
import type { Environment } from "../service/settings/setting.ts";

/** An output stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** An input stream that may be a terminal. */
export type Input = Readable & { readonly isTTY?: boolean };

/** What a command may use of the process that it runs in. Tests bring their own. */
export interface Terminal {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Environment;
  /**
   * Takes over Ctrl-C and SIGTERM: the first aborts the signal, so that the command can drain; a second one ends the
   * process at once. Calling it again returns the same signal.
   */
  stopSignal(): AbortSignal;
}
