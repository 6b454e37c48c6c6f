import type { Clock, Timer } from "../../internal/clock.ts";

/** How long a sender may take to give back places that it does not use, in milliseconds. Then they count as free. */
const RECALL_TIMEOUT_MS = 250;

/** A place asked for. */
export interface Ticket {
  /** Stops waiting. Has no effect once the place was given. */
  cancel(): void;
}

/** Who tells a sender of its places. */
export interface Granter {
  /** `count` more places are the sender's. */
  grant(share: Share, count: number): void;
  /** The sender is to give back what it does not use. */
  recall(share: Share): void;
}

/** The part that one sender in another process has in the places of one subscription. */
export class Share {
  readonly index: number;
  readonly granter: Granter;
  /** Places that it may use: each is good for one message. */
  granted = 0;
  /** Places that its messages take. */
  held = 0;
  /** Places that it was granted, did not give back in time, and may use all the same: its messages wait in line for a place. */
  lapsed = 0;
  /** Whether it was asked to give back what it does not use. */
  recalled = false;
  /** What was granted and not told yet: the granter's own business. */
  untold = 0;

  constructor(index: number, granter: Granter) {
    this.index = index;
    this.granter = granter;
  }
}

/** Somebody in line: a message that waits for its place, or a sender that wants to send. */
type Claim = Share | { readonly enter: () => void; readonly refuse: () => void };

/**
 * The places of one subscription, its prefetch. Messages of this process ask for a place each. Senders in other processes
 * are granted places ahead, so that a message that is sent has one: evenly among those who want some. A sender keeps its
 * places while nobody else needs them; when its message is settled, the place is granted to it again.
 */
export class Places {
  readonly #places: number;
  readonly #clock: Clock;
  readonly #line = new Set<Claim>();
  /** Senders that have their part and want more: they get what nobody else wants. */
  readonly #beyond = new Set<Share>();
  /** Senders that have places or want some. */
  readonly #active = new Set<Share>();
  #taken = 0;
  #granted = 0;
  #own = 0;
  #closed = false;
  #recallTimer: Timer | undefined;

  constructor(places: number, clock: Clock) {
    this.#places = places;
    this.#clock = clock;
  }

  /** Calls `enter` when there is a place, which is taken then; calls `refuse` if it closes before. Either may come at once. */
  ask(enter: () => void, refuse: () => void): Ticket {
    const claim = { enter, refuse };
    if (this.#closed) refuse();
    else {
      this.#line.add(claim);
      this.#admit();
    }
    return { cancel: () => void this.#line.delete(claim) };
  }

  /** A message of this process gives its place back. */
  leave(): void {
    this.#taken -= 1;
    this.#own -= 1;
    this.#admit();
  }

  /** A sender wants to send. */
  want(share: Share): void {
    if (this.#closed) return;
    if (share.granted + share.held >= this.#part) this.#beyond.add(share);
    else this.#line.add(share);
    this.#admit();
  }

  /** Grants a sender, one of so many, its part ahead of its asking, as far as there are places that nobody has. */
  offer(share: Share, among: number): void {
    if (this.#closed || this.#line.size > 0) return;
    const count = Math.min(this.#free, Math.max(1, Math.floor(this.#places / (among + 1))));
    if (count > 0 && share.granted === 0) this.#grant(share, count);
  }

  /** A sender's message has come. Returns whether it has its place: it has none where that had lapsed, or was never granted. */
  arrive(share: Share): boolean {
    if (share.granted === 0) return false;
    share.granted -= 1;
    this.#granted -= 1;
    this.#take(share);
    return true;
  }

  /**
   * A sender's message has come on a place that had lapsed. Calls `enter` when it has one after all, or `refuse`; either may come
   * at once. Returns false where none had lapsed: its sender breaks the rules.
   */
  arriveLate(share: Share, enter: () => void, refuse: () => void): boolean {
    if (share.lapsed === 0) return false;
    share.lapsed -= 1;
    this.ask(() => {
      // `ask` took it for a message of this process.
      this.#taken -= 1;
      this.#own -= 1;
      this.#take(share);
      enter();
    }, refuse);
    return true;
  }

  /** A sender's message is settled. Returns whether its place is granted to the sender again; never where it is out of reach. */
  settle(share: Share, inReach: boolean): boolean {
    share.held -= 1;
    this.#taken -= 1;
    if (inReach && this.#line.size === 0 && !this.#closed) {
      share.granted += 1;
      this.#granted += 1;
      // It has a place to go on with.
      this.#beyond.delete(share);
      return true;
    }
    if (this.#beyond.has(share) && share.granted + share.held < this.#part) {
      this.#beyond.delete(share);
      this.#line.add(share);
    }
    this.#retire(share);
    this.#admit();
    return false;
  }

  /** A sender gives back places that it does not use. */
  giveBack(share: Share, count: number): void {
    const wasAsked = share.recalled;
    share.recalled = false;
    const lapsed = Math.min(count, share.lapsed);
    share.lapsed -= lapsed;
    const given = Math.min(count - lapsed, share.granted);
    share.granted -= given;
    this.#granted -= given;
    // One that was asked may want some again soon: its part stays its own, so that the places do not go back and forth.
    if (!wasAsked) this.#retire(share);
    this.#admit();
  }

  /** A sender's connection is lost, and with it what it was granted. Its messages keep their places. */
  suspend(share: Share): void {
    this.#line.delete(share);
    this.#beyond.delete(share);
    this.#granted -= share.granted;
    share.granted = 0;
    share.lapsed = 0;
    share.untold = 0;
    share.recalled = false;
    this.#retire(share);
    this.#admit();
  }

  /** Refuses everybody who waits or asks from now on. */
  close(): void {
    this.#closed = true;
    this.#recallTimer?.cancel();
    const line = [...this.#line];
    this.#line.clear();
    this.#beyond.clear();
    for (const claim of line) if (!(claim instanceof Share)) claim.refuse();
  }

  get #free(): number {
    return this.#places - this.#taken - this.#granted;
  }

  /** What each may have at least, as long as so many want some. */
  get #part(): number {
    return Math.max(1, Math.floor(this.#places / (this.#active.size + (this.#own > 0 ? 1 : 0) || 1)));
  }

  #take(share: Share): void {
    share.held += 1;
    this.#taken += 1;
  }

  #retire(share: Share): void {
    if (share.granted + share.held === 0 && !this.#line.has(share)) this.#active.delete(share);
  }

  #admit(): void {
    for (const claim of this.#line) {
      if (this.#closed) return;
      const free = this.#free;
      if (free <= 0) return this.#recall(claim);
      this.#line.delete(claim);
      if (claim instanceof Share) {
        const part = this.#part - claim.granted - claim.held;
        if (part > 0) this.#grant(claim, Math.min(free, part));
        else this.#beyond.add(claim);
      } else {
        this.#taken += 1;
        this.#own += 1;
        claim.enter();
      }
    }
    for (const share of this.#beyond) {
      if (this.#closed || this.#free <= 0) return;
      this.#beyond.delete(share);
      this.#grant(share, this.#free);
    }
  }

  #grant(share: Share, count: number): void {
    this.#active.add(share);
    share.granted += count;
    this.#granted += count;
    share.granter.grant(share, count);
  }

  /** The first in line has nothing, and others have what they may not use: they are asked for it. */
  #recall(claim: Claim): void {
    if (claim instanceof Share && claim.granted + claim.held > 0) return;
    let asked = false;
    for (const share of this.#active) {
      if (share === claim || share.granted === 0 || share.recalled) continue;
      share.recalled = true;
      asked = true;
      share.granter.recall(share);
    }
    if (asked) this.#recallTimer ??= this.#clock.after(RECALL_TIMEOUT_MS, () => this.#lapse());
  }

  /** Whoever did not answer sleeps, or is out of reach: nobody waits for it. */
  #lapse(): void {
    this.#recallTimer = undefined;
    for (const share of this.#active) {
      if (!share.recalled) continue;
      share.recalled = false;
      this.#granted -= share.granted;
      share.lapsed += share.granted;
      share.granted = 0;
      this.#retire(share);
    }
    this.#admit();
  }
}
