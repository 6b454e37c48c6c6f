import { type BrokerError, wrapError } from "../../errors.ts";
import type { Timer } from "../../internal/clock.ts";
import { before } from "../../internal/wait.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Node } from "../../registry.ts";
import { Peer, type PeerHost } from "./peer.ts";
import type { ReceivingSubscription, ReceivingSubscriptions } from "./receiving-subscriptions.ts";
import { isCut, type OwnSide } from "./wire/dial.ts";
import { FRAME, GOODBYE } from "./wire/frames.ts";
import type { WireConnection } from "./wire/wire-connection.ts";

/** How often connections are looked after, in milliseconds. */
const TICK_MS = 1_000;

/** How long a live peer may take to answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/** How often a peer is asked when its connection breaks. */
const TRIES = 3;

/** How long a process that the registry has just shown is left to come by itself, in milliseconds. */
const COMES_ITSELF_MS = 500;

/** How long a process that said that it leaves is not believed to be back, in milliseconds: a slow look-up may still name it. */
const FORGET_MS = 60_000;

/** How long disconnecting waits for a peer to hear the last outcomes, in milliseconds. */
const LAST_WORDS_MS = 1_000;

/** What {@link Peers} work with. */
export interface PeersParts {
  readonly own: () => OwnSide;
  readonly outbox: Outbox;
  readonly subscriptions: ReceivingSubscriptions;
  /** Resolves when the secret that peers prove is the newest. */
  renewSecret(): Promise<void>;
  answer(name: string, argument: unknown): Promise<unknown>;
  onError(error: BrokerError): void;
}

/** The other processes, each over one connection. */
export class Peers {
  readonly #parts: PeersParts;
  readonly #host: PeerHost;
  readonly #known = new Map<string, Peer>();
  /** Processes that said that they leave, and when. */
  readonly #left = new Map<string, number>();
  readonly #noticed = new Set<Timer>();
  #ticker: Timer | undefined;
  #tickedAt = 0;
  #closed = false;

  constructor(parts: PeersParts) {
    this.#parts = parts;
    const { outbox, subscriptions } = parts;
    const known = this.#known;
    this.#host = {
      get own() {
        return parts.own();
      },
      get connected() {
        return known.size;
      },
      outbox,
      subscriptions,
      adopt: (connection) => this.#adopt(connection),
      renewSecret: () => parts.renewSecret(),
      answer: (name, argument) => parts.answer(name, argument),
      onError: (error) => parts.onError(error),
      onGone: (peer, forGood) => this.#onGone(peer, forGood),
    };
  }

  /** Takes a connection that a peer has opened and proved. */
  accept(connection: WireConnection): void {
    if (this.#closed) return connection.goodbye(GOODBYE.leaving, "the broker disconnects");
    this.#adopt(connection);
  }

  /** Connects to processes that the registry names; resolves when each has told everything, or has not answered. */
  async connect(nodes: readonly Node[]): Promise<void> {
    const peers = this.#listed(nodes);
    await Promise.all(peers.map((peer) => this.#inTime(peer.ready())));
  }

  /** The registry names a process, perhaps for the first time: one that has just started connects by itself. */
  notice(node: Node): void {
    const [peer] = this.#listed([node]);
    if (peer === undefined || peer.connection !== undefined) return;
    const timer = this.#clock.after(COMES_ITSELF_MS, () => {
      this.#noticed.delete(timer);
      peer.connect();
    });
    this.#noticed.add(timer);
  }

  /** The registry names a process no more. One whose connection stands is there all the same. */
  unlisted(id: string): void {
    this.#known.get(id)?.unlisted();
  }

  /** Compares with everything that the registry names. */
  compare(nodes: readonly Node[]): void {
    const named = new Set(nodes.map(({ id }) => id));
    for (const node of nodes) this.notice(node);
    for (const peer of this.#known.values()) if (peer.listed && !named.has(peer.id)) peer.unlisted();
    for (const [id, at] of this.#left) if (at + FORGET_MS < this.#clock.now()) this.#left.delete(id);
  }

  /** Tells everybody of a subscription of this process. */
  announce(subscription: ReceivingSubscription): void {
    for (const peer of this.#known.values()) peer.announce(subscription);
  }

  /** Tells everybody that a subscription of this process wants nothing more. */
  withdraw(subscription: ReceivingSubscription): void {
    for (const peer of this.#known.values()) peer.withdraw(subscription);
  }

  /**
   * Resolves when everybody, those that the registry names too, has taken note of everything that was told before, or is
   * found gone. One that does not answer in time is reported.
   */
  async agree(nodes: readonly Node[]): Promise<void> {
    await this.#all(nodes, (peer) => peer.ping());
  }

  /** Asks everybody, those that the registry names too. One that is gone, or does not answer in time, has no answer; the latter is reported. */
  async ask(nodes: readonly Node[], name: string, argument: unknown): Promise<unknown[]> {
    const answers = await this.#all(nodes, (peer) => peer.call(name, argument));
    return answers.flatMap((answer) => (answer === undefined ? [] : [answer.value]));
  }

  /** Waits until everybody knows the outcomes that are still to be told, for a moment; then says goodbye. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ticker?.cancel();
    for (const timer of this.#noticed) timer.cancel();
    await this.tell();
    for (const peer of this.#known.values()) peer.close();
    this.#known.clear();
  }

  /** Waits until everybody knows the outcomes that are still to be told, for a moment. */
  async tell(): Promise<void> {
    const owed = [...this.#known.values()].filter(({ receiving, connection }) => connection && !receiving.heard);
    const told = Promise.allSettled(owed.map((peer) => peer.tell()));
    if (owed.length > 0) await before(this.#clock, this.#clock.now() + LAST_WORDS_MS, told);
  }

  get #clock() {
    return this.#parts.own().clock;
  }

  /** The peers behind nodes of the registry, made where they are new. */
  #listed(nodes: readonly Node[]): Peer[] {
    if (this.#closed) return [];
    const { peerId } = this.#parts.own().terms;
    return nodes.flatMap(({ id, address }) => {
      if (id === peerId || this.#left.has(id)) return [];
      const peer = this.#peer(id, address);
      peer.listed = true;
      return [peer];
    });
  }

  #peer(id: string, address: string): Peer {
    let peer = this.#known.get(id);
    if (peer === undefined) {
      peer = new Peer(id, address, this.#host);
      this.#known.set(id, peer);
      this.#arm();
    }
    return peer;
  }

  // Both may dial at the same time. Then the connection stands that the one with the smaller id has opened; of two that the
  // same one has opened, the later: it knows that the former is lost.
  #adopt(connection: WireConnection): void {
    const { terms, dialled } = connection;
    const mine = this.#parts.own().terms.peerId;
    if (this.#closed || terms.peerId === mine) return connection.goodbye(GOODBYE.duplicate, "it is this process");
    const peer = this.#peer(terms.peerId, terms.address);
    const isMineFirst = mine < terms.peerId;
    const { connection: former } = peer;
    const refused =
      former === undefined
        ? !dialled && peer.dialling && isMineFirst
        : former.dialled !== dialled && dialled !== isMineFirst;
    if (refused) {
      // If that one is lost without this side's knowledge, the question brings it to light.
      void peer.ping().catch(() => {});
      return connection.goodbye(GOODBYE.duplicate, "there is another connection");
    }
    if (!dialled) {
      peer.stopDialling();
      connection.writer.numbers(FRAME.welcome);
    }
    peer.attach(connection);
  }

  /** Does something with every peer, again where its connection breaks meanwhile. */
  async #all<T>(nodes: readonly Node[], work: (peer: Peer) => Promise<T>): Promise<({ value: T } | undefined)[]> {
    this.#listed(nodes);
    return Promise.all([...this.#known.values()].map((peer) => this.#with(peer, work)));
  }

  async #with<T>(peer: Peer, work: (peer: Peer) => Promise<T>): Promise<{ value: T } | undefined> {
    const deadlineAt = this.#clock.now() + ANSWER_TIMEOUT_MS;
    for (let left = TRIES; left > 0 && !peer.gone && !peer.hangs && this.#clock.now() < deadlineAt; left -= 1) {
      try {
        const answer = await this.#inTime(
          peer.ready().then(async (isReady) => (isReady ? { value: await work(peer) } : undefined)),
        );
        if (answer !== undefined || this.#closed) return answer;
        // What is not there is told by the registry, or by the one that comes back.
        if (this.#clock.now() >= deadlineAt && !peer.gone)
          this.#unanswered(peer, new Error("it did not answer in time"));
      } catch (error) {
        if (!isCut(error)) {
          this.#unanswered(peer, error);
          return undefined;
        }
      }
    }
    return undefined;
  }

  /** The value, or `undefined` where it takes too long. */
  async #inTime<T>(promise: Promise<T>): Promise<T | undefined> {
    let value: T | undefined;
    const settled = promise.then((result) => {
      value = result;
    });
    settled.catch(() => {
      // Waited for below; where that took too long, nobody asks any more.
    });
    await before(this.#clock, this.#clock.now() + ANSWER_TIMEOUT_MS, settled);
    return value;
  }

  #unanswered(peer: Peer, error: unknown): void {
    if (this.#closed) return;
    this.#parts.onError(
      wrapError(error, "ERR_CONNECTION_LOST", `The peer at ${peer.address} did not answer`, { driver: "http" }),
    );
  }

  #onGone(peer: Peer, forGood: boolean): void {
    if (this.#known.get(peer.id) === peer) this.#known.delete(peer.id);
    if (forGood) this.#left.set(peer.id, this.#clock.now());
  }

  // A process that was held up itself, asleep or busy, must not take the others for silent.
  #arm(): void {
    if (this.#ticker !== undefined || this.#closed) return;
    this.#tickedAt = this.#clock.now();
    this.#ticker = this.#clock.after(TICK_MS, () => {
      this.#ticker = undefined;
      const now = this.#clock.now();
      const lateMs = now - this.#tickedAt - TICK_MS;
      const pausedMs = lateMs > TICK_MS ? lateMs : 0;
      for (const peer of [...this.#known.values()]) peer.tick(now, pausedMs);
      if (this.#known.size > 0) this.#arm();
    });
  }
}
