import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../../../internal/clock.ts";
import { ByteReader } from "./byte-reader.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { FRAME, GOODBYE, WireError } from "./frames.ts";
import type { Sender, Turn } from "./turn.ts";

/** As soon as this much waits to be written, it goes out, so that the other side has something to do meanwhile; in bytes. */
const FLUSH_BYTES = 32 * 1024;

/** What may wait in the socket before nothing new is offered to it, in bytes. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/** The longest frame before both sides have proved themselves, in bytes. */
const HANDSHAKE_FRAME_BYTES = 4 * 1024;

/** How long the other side may take to close a connection that this one has ended, in milliseconds. */
const LINGER_MS = 1_000;

/** Whoever a connection works for. */
export interface ConnectionOwner {
  /** Takes a frame. What it throws costs the connection. */
  frame(type: number, reader: ByteReader): void;
  /** A piece of the stream begins, and ends: what its frames make necessary is done once. */
  chunkBegins(): void;
  chunkEnds(): void;
  /** What is to be sent and was not written yet, is written now. */
  beforeFlush(): void;
  /** There is room in the socket again. */
  drained(): void;
  /** The connection is over; called once. */
  closed(error: Error | undefined): void;
}

/** What both sides told each other when they connected. */
export interface Terms {
  /** The other process. */
  readonly peerId: string;
  /** Where the other process listens. */
  readonly address: string;
  /** The largest message that it takes, in bytes. */
  readonly maxMessageBytes: number;
  /** How long it bears to hear nothing, in milliseconds. */
  readonly idleMs: number;
}

/** One connection between two processes, from the moment that both have proved themselves: frames out, frames in. */
export class WireConnection implements Sender {
  readonly terms: Terms;
  /** Whether this side has opened it. */
  readonly dialled: boolean;
  readonly writer: FrameWriter = new FrameWriter();
  /** Whether the socket takes more: senders look at it before they offer anything. */
  readonly flow = { open: true };
  /** When something came last, and when something was sent last, in milliseconds since the epoch. */
  heardAt: number;
  sentAt: number;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #maxFrameBytes: number;
  readonly #reader: FrameReader;
  readonly #payload = new ByteReader();
  #owner: ConnectionOwner | undefined;
  /** Who was told that a piece of the stream begins. */
  #chunkOwner: ConnectionOwner | undefined;
  #scheduled = false;
  #closed = false;

  constructor(
    socket: Duplex,
    terms: Terms,
    dialled: boolean,
    maxFrameBytes: number,
    { clock, turn }: { readonly clock: Clock; readonly turn: Turn },
  ) {
    this.terms = terms;
    this.dialled = dialled;
    this.#socket = socket;
    this.#clock = clock;
    this.#turn = turn;
    this.#maxFrameBytes = maxFrameBytes;
    this.heardAt = clock.now();
    this.sentAt = this.heardAt;
    this.#reader = new FrameReader(HANDSHAKE_FRAME_BYTES, (type, bytes, at, end, pieces) =>
      this.#owner?.frame(type, this.#payload.over(bytes, at, end, pieces)),
    );
    (socket as Socket).setNoDelay?.(true);
    (socket as Socket).setTimeout?.(0);
    socket.on("error", (error) => this.#close(error));
    socket.on("close", () => this.#close(undefined));
    socket.on("end", () => this.#close(undefined));
    socket.on("drain", () => this.#drained());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Begins to hand frames over. `head`: what came with the handshake. */
  start(owner: ConnectionOwner, head: Buffer): void {
    this.#owner = owner;
    if (head.length > 0) this.#received(head);
    this.#socket.on("data", (chunk: Buffer) => this.#received(chunk));
  }

  /** Another owner takes over, now that the handshake is done. */
  handTo(owner: ConnectionOwner): void {
    this.#owner = owner;
    this.#reader.maxBytes = this.#maxFrameBytes;
    if (this.#chunkOwner === undefined) return;
    this.#chunkOwner.chunkEnds();
    this.#chunkOwner = owner;
    owner.chunkBegins();
  }

  /** Sends what was written, at the end of this turn or, where that is much, at once. */
  schedule(): void {
    if (this.writer.size >= FLUSH_BYTES) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#turn.add(this);
  }

  /** Sends what was written, as it was scheduled. */
  send(): void {
    this.#scheduled = false;
    this.flush();
  }

  /** Sends what was written, in one write. */
  flush(): void {
    if (this.#closed) return;
    this.#owner?.beforeFlush();
    const { writer } = this;
    if (writer.size === 0) return;
    this.sentAt = this.#clock.now();
    this.#write(writer.peek());
    const unsent = this.#socket.writableLength;
    writer.reuse(unsent === 0);
    if (unsent > MAX_UNSENT_BYTES) this.flow.open = false;
  }

  #write(parts: readonly Uint8Array[]): void {
    if (parts.length > 1) this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    if (parts.length > 1) this.#socket.uncork();
  }

  /** Says why, and ends the connection: what was written before still arrives. */
  goodbye(code: number, text: string): void {
    if (this.#closed) return;
    this.writer.begin(FRAME.goodbye, 1 + text.length * 3);
    this.writer.byte(code);
    this.writer.restText(text);
    this.writer.finish();
    this.flush();
    this.#owner = undefined;
    this.#closed = true;
    this.#reader.stop();
    this.#socket.end();
    const timer = this.#clock.after(LINGER_MS, () => this.#socket.destroy());
    this.#socket.once("close", () => timer.cancel());
    this.#socket.resume();
  }

  /** Ends it at once, without a word; its owner hears nothing of it. */
  destroy(): void {
    this.#owner = undefined;
    this.#closed = true;
    this.#reader.stop();
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    this.heardAt = this.#clock.now();
    this.#chunkOwner = owner;
    owner.chunkBegins();
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.#broken(error as Error);
    } finally {
      this.#chunkOwner.chunkEnds();
      this.#chunkOwner = undefined;
    }
  }

  /** What came breaks the rules: that costs the connection, and nothing else. */
  #broken(error: Error): void {
    const owner = this.#owner;
    this.goodbye(GOODBYE.violation, error instanceof WireError ? error.message : "an internal error");
    owner?.closed(error);
  }

  #drained(): void {
    if (this.flow.open || this.#closed) return;
    this.flow.open = true;
    this.#owner?.drained();
  }

  #close(error: Error | undefined): void {
    const owner = this.#owner;
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.stop();
    this.#owner = undefined;
    this.#socket.destroy();
    owner?.closed(error);
  }
}
