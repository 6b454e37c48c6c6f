import type { Clock, Timer } from "../../internal/clock.ts";
import { GoLink, type GoRequest } from "./go-link.ts";
import type { Dialling } from "./wire/socket.ts";

/** Connections that were idle this long are closed, before the other side's own limit does it, in milliseconds. */
const IDLE_MS = 30_000;

/** The connections to one go-micro peer. Each message in flight needs one: HTTP/1.1 answers in order. */
export class GoPeer {
  readonly address: string;
  readonly #dialling: Dialling;
  readonly #clock: Clock;
  readonly #idle: { readonly link: GoLink; readonly since: number }[] = [];
  readonly #busy = new Set<GoLink>();
  #sweep: Timer | undefined;
  #closed = false;

  constructor(address: string, dialling: Dialling, clock: Clock) {
    this.address = address;
    this.#dialling = dialling;
    this.#clock = clock;
  }

  /** Whether this side has disconnected: nothing is sent any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a request on a free connection, or a new one. */
  async send(request: GoRequest): Promise<void> {
    if (this.#closed) throw new Error("the broker is disconnected");
    const link = this.#takeIdle() ?? new GoLink(this.address, this.#dialling, this.#clock);
    this.#busy.add(link);
    try {
      await link.send(request);
    } finally {
      this.#busy.delete(link);
      this.#park(link);
    }
  }

  close(): void {
    this.#closed = true;
    this.#sweep?.cancel();
    this.#sweep = undefined;
    for (const { link } of this.#idle.splice(0)) link.close();
    for (const link of this.#busy) link.close();
  }

  /** A connection that nobody uses and that still stands; the latest first. */
  #takeIdle(): GoLink | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop())
      if (idle.link.usable) return idle.link;
    return undefined;
  }

  #park(link: GoLink): void {
    if (this.#closed) link.close();
    if (!link.usable) return;
    this.#idle.push({ link, since: this.#clock.now() });
    this.#sweep ??= this.#clock.after(IDLE_MS, () => this.#closeIdle());
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const oldest = this.#clock.now() - IDLE_MS;
    while (this.#idle[0] !== undefined && this.#idle[0].since <= oldest) this.#idle.shift()?.link.close();
    if (this.#idle.length > 0) this.#sweep = this.#clock.after(IDLE_MS, () => this.#closeIdle());
  }
}

/** The go-micro peers of a broker, by address, as long as somebody sends to them. */
export class GoPeers {
  readonly #dialling: Dialling;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly peer: GoPeer; users: number }>();
  #closed = false;

  constructor(dialling: Dialling, clock: Clock) {
    this.#dialling = dialling;
    this.#clock = clock;
  }

  /** The peer at an address, for one user more: each calls `leave` when it sends nothing any more. */
  at(address: string): GoPeer {
    let known = this.#known.get(address);
    if (known === undefined) {
      known = { peer: new GoPeer(address, this.#dialling, this.#clock), users: 0 };
      this.#known.set(address, known);
      if (this.#closed) known.peer.close();
    }
    known.users += 1;
    return known.peer;
  }

  /** A user has left; with the last one the connections are closed, and the peer is forgotten. */
  leave(address: string): void {
    const known = this.#known.get(address);
    if (known === undefined) return;
    known.users -= 1;
    if (known.users > 0) return;
    this.#known.delete(address);
    known.peer.close();
  }

  /** Closes every connection; whoever still sends is refused. */
  close(): void {
    this.#closed = true;
    for (const { peer } of this.#known.values()) peer.close();
  }
}
