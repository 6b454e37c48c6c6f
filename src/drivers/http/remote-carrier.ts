import { randomUUID } from "node:crypto";
import type { BrokerError } from "../../errors.ts";
import { wrapError } from "../../errors.ts";
import type { Entry } from "../../outbox/entry.ts";
import type { Carrier } from "../../outbox/member.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import { deadLetterTopic } from "../../topics.ts";
import { writeEnvelope } from "./envelope.ts";
import { isCut, type LinkAnswer } from "./link.ts";
import type { Peer } from "./peer.ts";
import { encodeText, readOutcome, STATUS, WIRE_HEADERS } from "./wire.ts";

/**
 * How long a full receiver may keep a message waiting, in milliseconds: shorter where another member may take it, and
 * never long, since another may join meanwhile.
 */
const ACCEPT_WITHIN_MS = { alone: 1_000, shared: 100 };

/** Pause after a failed request, doubled each time, in milliseconds. */
const PAUSE_MS = { first: 50, most: 2_000 };

/** How long a full member is passed over, so that its message goes to another that has room, in milliseconds. */
const FULL_PAUSE_MS = 10;

/** How long a receiver may be silent beyond its `ackTimeoutMs`, of which it uses half, before it counts as hung, in milliseconds. */
const ANSWER_GRACE_MS = 5_000;

/** The shortest `ackTimeoutMs` that counts there, in milliseconds: a process may be that busy. */
const LEAST_SILENCE_MS = 10_000;

/** How often a message is sent again at once when the connection breaks before a word of the receiver. */
const MAX_RECONNECTS = 3;

/** What a {@link RemoteCarrier} tells its driver. */
export interface CarrierHost {
  readonly outbox: Outbox;
  /** The subscription is not there any more. */
  onGone(nodeId: string): void;
  onError(error: BrokerError): void;
}

/** Carries messages to one subscription of another Tidings process. */
export class RemoteCarrier implements Carrier {
  readonly #nodeId: string;
  readonly #peer: Peer;
  readonly #ackTimeoutMs: number;
  readonly #host: CarrierHost;
  /** Names of handings-over that were not answered: one that hung may still have the message, and must know it again. */
  readonly #names = new WeakMap<Entry, string>();
  #failures = 0;

  constructor(nodeId: string, peer: Peer, ackTimeoutMs: number, host: CarrierHost) {
    this.#nodeId = nodeId;
    this.#peer = peer;
    this.#ackTimeoutMs = ackTimeoutMs;
    this.#host = host;
  }

  offer(entry: Entry): boolean {
    this.#carry(entry).catch((error: unknown) =>
      this.#host.onError(wrapError(error, "ERR_DRIVER", "Delivering failed")),
    );
    return false;
  }

  // A connection that breaks is made anew and the message sent again: the receiver knows this handing-over by its name, and
  // answers when its handler has. Only a process that is gone, or hangs, costs an attempt. The loop ends with the handler, or
  // when no word comes between breaks.
  async #carry(entry: Entry): Promise<void> {
    const name = this.#names.get(entry) ?? randomUUID();
    this.#names.set(entry, name);
    let breaks = 0;
    const onProcessing = () => {
      breaks = 0;
      this.#host.outbox.accept(entry);
    };
    for (;;) {
      try {
        const answer = await this.#post(entry, name, onProcessing);
        if (this.#peer.closed) return;
        this.#names.delete(entry);
        this.#failures = 0;
        return this.#answered(entry, answer);
      } catch (error) {
        // This broker has disconnected, and has counted what it gave up.
        if (this.#peer.closed) return;
        breaks += 1;
        const isHere = entry.state === "offered" || entry.state === "accepted";
        if (!isHere || !isCut(error) || breaks > MAX_RECONNECTS) return this.#failed(entry, error);
      }
    }
  }

  #post(entry: Entry, name: string, onProcessing: () => void): Promise<LinkAnswer> {
    const { message } = entry;
    const acceptWithinMs = isShared(entry) ? ACCEPT_WITHIN_MS.shared : ACCEPT_WITHIN_MS.alone;
    const timeoutMs = Math.max(this.#ackTimeoutMs, LEAST_SILENCE_MS) + ANSWER_GRACE_MS;
    const headers: Record<string, string> = {
      "Content-Type": "application/json",
      [WIRE_HEADERS.id]: encodeText(message.id),
      [WIRE_HEADERS.topic]: encodeText(message.topic),
      [WIRE_HEADERS.delivery]: name,
      [WIRE_HEADERS.attempt]: String(entry.attempt),
      [WIRE_HEADERS.acceptWithin]: String(acceptWithinMs),
    };
    if (message.key !== undefined) headers[WIRE_HEADERS.key] = encodeText(message.key);
    if (entry.firstFailureAt !== undefined) headers[WIRE_HEADERS.firstFailure] = String(entry.firstFailureAt);
    return this.#peer.send({
      path: `/?id=${encodeText(this.#nodeId)}`,
      headers,
      body: writeEnvelope(message.header, message.body),
      onProcessing,
      timeoutMs,
      // One that hangs before it has taken the message keeps it from the others no longer than it must.
      acceptTimeoutMs: entry.state === "accepted" ? timeoutMs : acceptWithinMs + ANSWER_GRACE_MS,
    });
  }

  #answered(entry: Entry, { status, text }: LinkAnswer): void {
    const { outbox } = this.#host;
    const outcome = readOutcome(text);
    if (outcome !== undefined) {
      outbox.accept(entry);
      outbox.settle(entry, outcome);
      // A released message means that the subscription is leaving; its node goes with the registry's record, or with a 404.
      return;
    }
    if (status === STATUS.full) return outbox.refuse(entry, isShared(entry) ? FULL_PAUSE_MS : 0);
    if (status === STATUS.gone) {
      if (entry.state === "accepted") outbox.lose(entry, true, 0);
      else outbox.refuse(entry, 0);
      return this.#host.onGone(this.#nodeId);
    }
    if (status === STATUS.tooLarge) {
      const now = Date.now();
      const reason = `${this.#peer.address} refused it as too large`;
      return outbox.settle(entry, {
        kind: "dead",
        to: deadLetterTopic(entry.topic),
        reason,
        attempts: entry.attempt - 1,
        firstAt: entry.firstFailureAt ?? now,
        lastAt: now,
      });
    }
    this.#failed(entry, new Error(`it answered with status ${status}`));
  }

  #failed(entry: Entry, error: unknown): void {
    const { outbox } = this.#host;
    const pauseMs = Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    if (entry.state === "accepted") outbox.lose(entry, true, pauseMs);
    else outbox.refuse(entry, pauseMs);
    if (this.#failures === 1)
      this.#host.onError(
        wrapError(error, "ERR_CONNECTION_LOST", `The peer at ${this.#peer.address} could not be reached`, {
          driver: "http",
          topic: entry.topic,
        }),
      );
  }
}

/** Whether another member may take the message. */
function isShared({ lane }: Entry): boolean {
  return lane.members.length > 1;
}
