import { connect } from "node:net";

const ANSWER_DEADLINE_MS = 60_000;

/** A connection on which a probe says something and waits for what it expects. */
export interface Conversation {
  send(bytes: string | Uint8Array): void;
  /** Everything received since the last time that `read` returned something, once that takes it. */
  expect<T>(read: (received: Buffer) => T | undefined): Promise<T>;
}

/** Connects, holds a conversation, and closes. @throws what `talk` throws, or why the connection or an answer failed. */
export async function converse<T>(
  port: number,
  signal: AbortSignal,
  talk: (conversation: Conversation) => Promise<T>,
): Promise<T> {
  const socket = connect({ port, host: "127.0.0.1" });
  let received: Buffer = Buffer.alloc(0);
  let failure: Error | undefined;
  let wake = (): void => undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    wake();
  };
  const stop = (): void => fail(signal.reason);
  signal.addEventListener("abort", stop);
  socket.setTimeout(ANSWER_DEADLINE_MS, () => fail(new Error(`no answer within ${ANSWER_DEADLINE_MS} ms`)));
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the connection was closed")));
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  try {
    return await talk({
      send: (bytes) => void socket.write(bytes),
      async expect(read) {
        for (;;) {
          const found = read(received);
          if (found !== undefined) {
            received = Buffer.alloc(0);
            return found;
          }
          if (failure !== undefined) throw failure;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
    });
  } finally {
    signal.removeEventListener("abort", stop);
    socket.destroy();
  }
}
