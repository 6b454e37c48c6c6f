import type { GivenUp, Outcome, Publication } from "../../../src/driver.ts";
import type { BrokerError } from "../../../src/errors.ts";
import { messageBytes } from "../../../src/message.ts";
import type { Entry } from "../../../src/outbox/entry.ts";
import type { Lane } from "../../../src/outbox/lane.ts";
import { Member } from "../../../src/outbox/member.ts";
import { Outbox } from "../../../src/outbox/outbox.ts";
import type { OutboxOptions } from "../../../src/outbox/outbox-options.ts";
import { laneOf } from "../../../src/outbox/subscribe-local.ts";
import type { ReceiptState } from "../../../src/receipt.ts";
import { FakeClock } from "../internal/fake-clock.ts";

/** A publish, and what it was answered; several answers would be listed. */
export interface Published {
  readonly id: string;
  readonly answers: (ReceiptState | BrokerError)[];
}

/** A member whose every step the test takes: it notes what it is offered, and answers when it is told to. */
export class ManualMember {
  readonly member: Member;
  /** Everything that it was ever offered, in order. */
  readonly offers: Entry[] = [];
  readonly #outbox: Outbox;

  constructor(
    outbox: Outbox,
    id: string,
    window: number,
    takesAll: boolean,
    onOffer: (entry: Entry) => void = () => {},
  ) {
    this.#outbox = outbox;
    this.member = new Member(id, window, {
      takesAll,
      offer: (entry) => {
        onOffer(entry);
        this.offers.push(entry);
      },
    });
  }

  /** Ids of everything that it was ever offered. */
  get ids(): string[] {
    return this.offers.map(({ id }) => id);
  }

  /** What it was offered and has not answered. */
  get offered(): Entry | undefined {
    return this.member.inOrder().find(({ state }) => state === "offered");
  }

  /** What it has taken and not settled. */
  get held(): Entry[] {
    return this.member.inOrder().filter(({ state }) => state === "accepted");
  }

  accept(): void {
    if (this.offered !== undefined) this.#outbox.accept(this.offered);
  }

  refuse(pauseMs = 0): void {
    if (this.offered !== undefined) this.#outbox.refuse(this.offered, pauseMs);
  }

  /** Settles the message with this id. */
  settle(id: string, outcome: Outcome): void {
    const entry = this.member.inOrder().find((one) => one.id === id);
    if (entry === undefined) throw new Error(`${this.member.id} does not hold ${id}`);
    entry.settle(outcome);
  }
}

/** What a test publishes; the defaults are an id of its own and no body. */
interface PublishWith {
  readonly id?: string;
  readonly body?: string;
  readonly mandatory?: boolean;
  readonly acceptTimeoutMs?: number;
}

/** How a test subscribes; the defaults are an id of its own, no queue, a window of 16, and taking whatever is offered. */
interface SubscribeWith {
  readonly id?: string;
  readonly queue?: string;
  readonly window?: number;
  readonly takesAll?: boolean;
  readonly onOffer?: (entry: Entry) => void;
}

/** An outbox, its clock, and short ways to use it. */
export interface Harness {
  readonly clock: FakeClock;
  readonly outbox: Outbox;
  readonly givenUp: GivenUp[];
  publish(topic: string, more?: PublishWith): Published;
  /** A publication that is not published yet. */
  publication(topic: string, more?: PublishWith): { readonly made: Publication; readonly published: Published };
  subscribe(pattern: string, more?: SubscribeWith): ManualMember & { readonly lane: Lane };
}

/** An outbox on a clock that stands still, and what it reports. */
export function harness(options: Partial<OutboxOptions> = {}): Harness {
  const clock = new FakeClock();
  const givenUp: GivenUp[] = [];
  const outbox = new Outbox({
    clock,
    maxMessages: 1_000,
    maxBytes: 1_000_000,
    maxAgeMs: 1e9,
    whenFull: "reject",
    keepsUnwanted: true,
    onGiveUp: (message) => givenUp.push(message),
    ...options,
  });
  let last = 0;

  const publication: Harness["publication"] = (topic, more = {}) => {
    const published: Published = { id: more.id ?? String(last++), answers: [] };
    const header = Object.freeze(Object.create(null));
    const body = Buffer.from(more.body ?? "");
    const made: Publication = {
      topic,
      id: published.id,
      key: undefined,
      header,
      body,
      bytes: messageBytes(header, body),
      mandatory: more.mandatory ?? false,
      origin: undefined,
      confirm: (state) => published.answers.push(state),
      fail: (error) => published.answers.push(error),
    };
    return { made, published };
  };

  const publish: Harness["publish"] = (topic, more = {}) => {
    const { made, published } = publication(topic, more);
    outbox.publish([made], more.acceptTimeoutMs ?? 5_000);
    return published;
  };

  const subscribe: Harness["subscribe"] = (pattern, more = {}) => {
    const id = more.id ?? `m${last++}`;
    const lane = laneOf(outbox, { id, pattern, queue: more.queue });
    const manual = new ManualMember(outbox, id, more.window ?? 16, more.takesAll ?? true, more.onOffer);
    outbox.addMember(lane, manual.member);
    return Object.assign(manual, { lane });
  };

  return { clock, outbox, givenUp, publish, publication, subscribe };
}

export const ack: Outcome = { kind: "ack" };
export const release: Outcome = { kind: "release" };

export function retry(delayMs: number, attempt: number): Outcome {
  return { kind: "retry", delayMs, attempt, firstFailureAt: 1 };
}

export function dead(to: string | false, attempts = 1): Outcome {
  return { kind: "dead", to, reason: "broken", attempts, firstAt: 1, lastAt: 2 };
}
