import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "./engines/free-port.ts";
import { onFreePorts } from "./engines/on-free-ports.ts";
import { faultPipe, type PipeFaults } from "./fault-pipe.ts";

/** What went through a proxy so far. */
interface FaultProxyCounters {
  /** Connections accepted. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  /** Connections that `cut` broke. */
  readonly cut: number;
  /** Bytes that went from clients to the engine, and back. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Bytes that vanished, in both directions. */
  readonly bytesSwallowed: number;
}

/** A TCP proxy on a loopback port in front of an engine, which troubles the connections through it. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  readonly counters: FaultProxyCounters;
  /** A URL of the engine, with the proxy's address in place of its own. */
  through(url: string): string;
  /** Everything arrives this much later, in both directions, in order. */
  delay(ms: number): void;
  /** Every byte is sent by itself. */
  byteByByte(): void;
  /** Breaks every connection with a reset, on both sides. Returns how many there were. */
  cut(): number;
  /**
   * Every connection goes silent and stays so: open, taking bytes, and passing none on, in either direction. New ones are
   * accepted and silent from the start. A connection that has lost bytes cannot be healed, only cut.
   */
  halfOpen(): void;
  /** New connections are refused, as if nobody listened. Resolves when that is so. */
  refuse(): Promise<void>;
  /** New connections are accepted again, on the same port. */
  accept(): Promise<void>;
  /** Ends every fault for new connections, and for those that have lost nothing. */
  heal(): Promise<void>;
  /** Breaks everything and closes. Safe to call twice. */
  close(): Promise<void>;
}

/** Opens a proxy in front of `target`. */
export function faultProxy(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
  return onFreePorts(async () => {
    const proxy = new TcpFaultProxy(target, await freePort());
    await proxy.accept();
    return proxy;
  });
}

/** A client's connection and the one to the engine that belongs to it. */
interface Pair {
  readonly near: Socket;
  /** None where the connection was silent from the start. */
  readonly far: Socket | undefined;
  silent: boolean;
  lostBytes: boolean;
}

class TcpFaultProxy implements FaultProxy {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly counters = { accepted: 0, open: 0, cut: 0, bytesUp: 0, bytesDown: 0, bytesSwallowed: 0 };
  readonly #target: { readonly host: string; readonly port: number };
  readonly #faults: { -readonly [Name in keyof PipeFaults]: PipeFaults[Name] } = { delayMs: 0, byteByByte: false };
  readonly #pairs = new Set<Pair>();
  #silence = false;
  #server: Server | undefined;

  constructor(target: { readonly host: string; readonly port: number }, port: number) {
    this.#target = target;
    this.port = port;
  }

  through(url: string): string {
    const there = new URL(url);
    there.hostname = this.host;
    there.port = String(this.port);
    return there.href;
  }

  delay(ms: number): void {
    this.#faults.delayMs = ms;
  }

  byteByByte(): void {
    this.#faults.byteByByte = true;
  }

  cut(): number {
    const cutNow = [...this.#pairs];
    for (const pair of cutNow) this.#break(pair);
    this.counters.cut += cutNow.length;
    return cutNow.length;
  }

  halfOpen(): void {
    this.#silence = true;
    for (const pair of this.#pairs) pair.silent = true;
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    // The callback would wait for the connections; the port is free at once.
    server?.close();
  }

  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#take(near));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, this.host, resolve);
    });
    this.#server = server;
  }

  async heal(): Promise<void> {
    this.#faults.delayMs = 0;
    this.#faults.byteByByte = false;
    this.#silence = false;
    for (const pair of this.#pairs) {
      if (pair.near.destroyed || pair.near.readableEnded) this.#break(pair);
      else if (!pair.lostBytes && pair.far !== undefined) pair.silent = false;
    }
    await this.accept();
  }

  async close(): Promise<void> {
    await this.refuse();
    for (const pair of this.#pairs) this.#break(pair);
  }

  #take(near: Socket): void {
    this.counters.accepted += 1;
    const far = this.#silence ? undefined : connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const pair: Pair = { near, far, silent: this.#silence, lostBytes: false };
    this.#pairs.add(pair);
    this.counters.open += 1;
    for (const socket of [near, far]) {
      // A socket that errs is closed next: that is where its partner hears of it.
      socket?.on("error", () => socket.destroy());
      socket?.on("close", (failed) => this.#closed(pair, failed));
    }
    if (far === undefined) {
      near.on("data", (chunk: Buffer) => this.#swallowed(pair, chunk.length));
      return;
    }
    const carry = (from: Socket, to: Socket, counter: "bytesUp" | "bytesDown"): void =>
      faultPipe(from, to, this.#faults, {
        get silent() {
          return pair.silent;
        },
        passed: (bytes) => {
          this.counters[counter] += bytes;
        },
        swallowed: (bytes) => this.#swallowed(pair, bytes),
      });
    carry(near, far, "bytesUp");
    carry(far, near, "bytesDown");
  }

  #swallowed(pair: Pair, bytes: number): void {
    pair.lostBytes = true;
    this.counters.bytesSwallowed += bytes;
  }

  /** One side is gone: so is the other, unless the connection is silent; then it does not hear of it. */
  #closed(pair: Pair, failed: boolean): void {
    if (!pair.silent) this.#break(pair, failed);
    const [near, far] = [pair.near.destroyed, pair.far?.destroyed ?? true];
    if (near && far && this.#pairs.delete(pair)) this.counters.open -= 1;
  }

  #break(pair: Pair, withReset = true): void {
    for (const socket of [pair.near, pair.far]) {
      if (socket === undefined || socket.destroyed) continue;
      if (withReset) socket.resetAndDestroy();
      else socket.destroySoon();
    }
  }
}
