import type { Socket } from "node:net";
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";

/** What a {@link faultPipe} does to the bytes it carries; read anew for every chunk. */
export interface PipeFaults {
  /** How much later each chunk goes on, in milliseconds. */
  readonly delayMs: number;
  /** Whether every byte goes on by itself. */
  readonly byteByByte: boolean;
}

/** What a pipe asks of and tells its connection. */
export interface PipeConnection {
  /** Whether the connection has become silent: what it still gets is swallowed. */
  readonly silent: boolean;
  passed(bytes: number): void;
  swallowed(bytes: number): void;
}

/** Above this much waiting, the source is read no further until the pipe has caught up. */
const MAX_WAITING_BYTES = 4 * 2 ** 20;

/** Carries what one socket receives to another, in order, as the faults say at that moment. Ends `to` after `from` ends. */
export function faultPipe(from: Socket, to: Socket, faults: PipeFaults, connection: PipeConnection): void {
  const waiting: { readonly chunk: Buffer; readonly dueAt: number }[] = [];
  let waitingBytes = 0;
  let ended = false;
  let pumping = false;

  const pump = async (): Promise<void> => {
    if (pumping) return;
    pumping = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const waitMs = next.dueAt - performance.now();
      if (waitMs > 0) await pause(waitMs);
      await carry(next.chunk);
      waitingBytes -= next.chunk.length;
      if (waitingBytes <= MAX_WAITING_BYTES) from.resume();
    }
    pumping = false;
    if (ended && !connection.silent) to.end();
  };

  const carry = async (chunk: Buffer): Promise<void> => {
    const pieces = faults.byteByByte ? Array.from(chunk, (_, at) => chunk.subarray(at, at + 1)) : [chunk];
    for (const piece of pieces) {
      if (connection.silent) connection.swallowed(piece.length);
      else if (to.writable) {
        connection.passed(piece.length);
        if (!to.write(piece)) await room(to);
      }
      if (faults.byteByByte) await turn();
    }
  };

  from.on("data", (chunk: Buffer) => {
    waiting.push({ chunk, dueAt: performance.now() + faults.delayMs });
    waitingBytes += chunk.length;
    if (waitingBytes > MAX_WAITING_BYTES) from.pause();
    void pump();
  });
  from.on("end", () => {
    ended = true;
    void pump();
  });
}

/** Resolves when a socket takes more, or is gone. */
function room(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}
