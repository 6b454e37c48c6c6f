import type { Clock, Timer } from "../../internal/clock.ts";
import { Link, type LinkAnswer, type LinkRequest } from "./link.ts";

/** Connections that were idle this long are closed, before the other side's own limit does it, in milliseconds. */
const IDLE_MS = 30_000;

/** The connections to one address. Each message in flight needs one: HTTP/1.1 answers in order. */
export class Peer {
  readonly address: string;
  readonly #secret: Uint8Array | undefined;
  readonly #clock: Clock;
  readonly #idle: { readonly link: Link; readonly since: number }[] = [];
  readonly #busy = new Set<Link>();
  #sweep: Timer | undefined;
  #closed = false;

  constructor(address: string, secret: Uint8Array | undefined, clock: Clock) {
    this.address = address;
    this.#secret = secret;
    this.#clock = clock;
  }

  /** Whether this side has disconnected: nothing is sent any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a request on a free connection, or a new one. */
  async send(request: LinkRequest): Promise<LinkAnswer> {
    if (this.#closed) throw new Error("the broker is disconnected");
    const idle = this.#takeIdle();
    const link = idle ?? new Link(this.address);
    this.#busy.add(link);
    try {
      if (idle === undefined && this.#secret !== undefined) await link.shakeHands(this.#secret);
      return await link.send(request);
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
  #takeIdle(): Link | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop())
      if (idle.link.usable) return idle.link;
    return undefined;
  }

  #park(link: Link): void {
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

/** The peers of a broker, by address. */
export class Peers {
  readonly #secret: Uint8Array | undefined;
  readonly #clock: Clock;
  readonly #known = new Map<string, Peer>();
  #closed = false;

  constructor(secret: Uint8Array | undefined, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /** The peer at an address; `trusted` ones prove the secret, go-micro's do not. */
  at(address: string, trusted: boolean): Peer {
    const key = `${trusted}${address}`;
    let peer = this.#known.get(key);
    if (peer === undefined) {
      peer = new Peer(address, trusted ? this.#secret : undefined, this.#clock);
      this.#known.set(key, peer);
      if (this.#closed) peer.close();
    }
    return peer;
  }

  /** Closes every connection; whoever still sends is refused. */
  close(): void {
    this.#closed = true;
    for (const peer of this.#known.values()) peer.close();
  }
}
