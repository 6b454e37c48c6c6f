import { isBrokenPipe } from "./report-error.ts";
import type { Output } from "./terminal.ts";

/** Writes lines to standard output, one after the other, and notices when its reader leaves. */
export class LineWriter {
  readonly #stream: Output;

  constructor(stream: Output) {
    this.#stream = stream;
    // The failure itself reaches whoever awaits `write`; without a listener it would end the process.
    stream.on("error", () => {});
  }

  /**
   * Writes a line; resolves when the stream has taken it, so that a slow reader slows the writer.
   * @throws the stream's error; `isBrokenPipe` tells a reader that has left
   */
  write(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(`${line}\n`, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Writes a line, unless the reader has left: resolves with whether it was written. */
  async tryWrite(line: string): Promise<boolean> {
    try {
      await this.write(line);
      return true;
    } catch (error) {
      if (isBrokenPipe(error)) return false;
      throw error;
    }
  }
}
