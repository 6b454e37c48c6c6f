import type { Output } from "./terminal.ts";

/** Writes text for callers that cannot wait: whether it was written is told afterwards. */
export class TextWriter {
  readonly #stream: Output;
  #written: Promise<unknown> = Promise.resolve();

  constructor(stream: Output) {
    this.#stream = stream;
    // The failure itself reaches whoever awaits `written`; without a listener it would end the process.
    stream.on("error", () => {});
  }

  /** Writes text as it is. */
  write(text: string): void {
    const writing = new Promise<void>((resolve, reject) => {
      this.#stream.write(text, (error) => (error ? reject(error) : resolve()));
    });
    this.#written = Promise.all([this.#written, writing]);
    this.#written.catch(() => {});
  }

  /**
   * Resolves when the stream has taken everything.
   * @throws the stream's error; `isBrokenPipe` tells a reader that has left
   */
  async written(): Promise<void> {
    await this.#written;
  }
}
