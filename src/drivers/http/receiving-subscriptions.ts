import type { SubscribeRequest } from "../../driver.ts";
import type { Clock } from "../../internal/clock.ts";
import { matchesTopic } from "../../topics.ts";
import { Places } from "./places.ts";
import type { Announcement } from "./wire/subscribe-frame.ts";

/** A subscription of this process, as messages from outside reach it. */
export class ReceivingSubscription {
  /** Its number on the wire. */
  readonly index: number;
  readonly request: SubscribeRequest;
  readonly places: Places;
  #lastTopic = "";

  constructor(index: number, request: SubscribeRequest, clock: Clock) {
    this.index = index;
    this.request = request;
    this.places = new Places(request.prefetch, clock);
  }

  /** What other processes are told of it. */
  get announcement(): Announcement {
    const { id, pattern, queue, ackTimeoutMs } = this.request;
    return { index: this.index, id, pattern, queue, ackTimeoutMs };
  }

  /** Whether it wants the topic. Quick for a topic that comes again and again. */
  wants(topic: string): boolean {
    if (topic === this.#lastTopic) return true;
    if (!matchesTopic(this.request.pattern, topic)) return false;
    this.#lastTopic = topic;
    return true;
  }
}

/** The subscriptions of this process, by their numbers on the wire. */
export class ReceivingSubscriptions {
  readonly #byIndex = new Map<number, ReceivingSubscription>();
  readonly #clock: Clock;
  #next = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#byIndex.size;
  }

  /** A new subscription. It is not told to anybody by this. */
  add(request: SubscribeRequest): ReceivingSubscription {
    const subscription = new ReceivingSubscription(this.#next, request, this.#clock);
    this.#next += 1;
    this.#byIndex.set(subscription.index, subscription);
    return subscription;
  }

  remove(subscription: ReceivingSubscription): void {
    this.#byIndex.delete(subscription.index);
  }

  get(index: number): ReceivingSubscription | undefined {
    return this.#byIndex.get(index);
  }

  /** By its id, as go-micro's requests name it. */
  byId(id: string): ReceivingSubscription | undefined {
    for (const subscription of this.#byIndex.values()) if (subscription.request.id === id) return subscription;
    return undefined;
  }

  values(): Iterable<ReceivingSubscription> {
    return this.#byIndex.values();
  }
}
