import type { Socket } from "node:net";
import type { ChannelModel } from "amqplib";

/** One connection of the client: how it is written to, and how it ends. */
export class Line {
  readonly model: ChannelModel;
  /** Resolves with why, when the connection has ended, for whatever reason. */
  readonly ended: Promise<Error | undefined>;
  #alive = true;
  #gathering = false;
  /** Somebody has written since the gathering began. */
  #wanted = false;

  constructor(model: ChannelModel) {
    this.model = model;
    let cause: Error | undefined;
    model.on("error", (error) => {
      cause = error;
    });
    this.ended = new Promise((resolve) => {
      model.once("close", (error) => {
        this.#alive = false;
        resolve(error ?? cause);
      });
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  /**
   * Lets what is written from now on, until the event loop has come round, go out in one write: the client writes each message
   * and each ack by itself, and the system calls would cost more than all the rest.
   */
  gather(): void {
    this.#wanted = true;
    if (!this.#gathering && this.#alive) this.#gather();
  }

  #gather(): void {
    const socket = this.#socket;
    this.#wanted = false;
    this.#gathering = true;
    socket.cork();
    // The client hands its frames to the socket in a later phase of the round in which they are written.
    setImmediate(() =>
      setImmediate(() => {
        socket.uncork();
        this.#gathering = false;
        if (this.#wanted) this.gather();
      }),
    );
  }

  /** Begins to close in good order; `ended` tells when it is done. */
  close(): void {
    // Its answer does not come where the connection ends by itself meanwhile, which is what was wanted.
    if (this.#alive) this.model.close().catch(() => {});
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy(new Error("the connection was given up"));
  }

  get #socket(): Socket {
    return (this.model.connection as unknown as { stream: Socket }).stream;
  }
}
