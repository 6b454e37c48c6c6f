import { connect, type Socket } from "node:net";
import { parseAddress } from "../src/drivers/http/address.ts";

/** How long the other side may take to end a connection whose input has ended, in milliseconds: longer, and it hangs. */
const HANGS_MS = 30_000;

/** A connection of a fuzzer: it says what it is told to, and must come to an end. */
export class FuzzStream {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #came: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(address: string) {
    this.#socket = connect(parseAddress(address));
    this.#socket.setNoDelay(true);
    // A reset is an end like any other.
    this.#socket.on("error", () => {});
    this.#socket.on("data", (chunk: Buffer) => {
      this.#came = Buffer.concat([this.#came, chunk]);
      this.#wake?.();
    });
    this.#closed = new Promise((resolve) => {
      this.#socket.once("close", () => {
        this.#isClosed = true;
        this.#wake?.();
        resolve();
      });
    });
  }

  get came(): Buffer {
    return this.#came;
  }

  write(bytes: Buffer): void {
    if (bytes.length > 0 && this.#socket.writable) this.#socket.write(bytes);
  }

  /** Waits until something that is looked for has come, the connection is closed, or so many milliseconds are over. */
  async until<T>(look: (came: Buffer) => T | undefined, withinMs: number): Promise<T | undefined> {
    const giveUpAt = Date.now() + withinMs;
    for (;;) {
      const found = look(this.#came);
      if (found !== undefined || this.#isClosed || Date.now() >= giveUpAt) return found;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, giveUpAt - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Ends this side, and waits for the other. Returns whether it ended in time. */
  async end(): Promise<boolean> {
    this.#socket.end();
    this.#socket.resume();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), HANGS_MS);
    });
    const inTime = await Promise.race([this.#closed.then(() => true), tooLate]);
    clearTimeout(timer);
    this.#socket.destroy();
    return inTime;
  }
}
