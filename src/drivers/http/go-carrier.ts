import { writeEnvelope } from "../../codecs/go-micro-envelope.ts";
import { GO_MICRO_HEADERS } from "../../codecs/go-micro-headers.ts";
import { ACK } from "../../driver.ts";
import type { BrokerError } from "../../errors.ts";
import { wrapError } from "../../errors.ts";
import type { Entry } from "../../outbox/entry.ts";
import type { Carrier } from "../../outbox/member.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { GoPeer } from "./go-peers.ts";

/** How long a go-micro peer may run its handlers before the request is given up and made again, in milliseconds. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Pause after a failed request, doubled each time, in milliseconds. */
const PAUSE_MS = { first: 50, most: 2_000 };

interface GoWire {
  /** Where requests go. */
  readonly path: string;
  /** The header inside the envelope that names the topic. */
  readonly topicHeader: string;
}

/** How go-micro peers of v2.5 to v6, and older ones, are spoken to. */
export const GO_WIRES: Readonly<Record<"current" | "old", GoWire>> = {
  current: { path: "/", topicHeader: GO_MICRO_HEADERS.topic },
  old: { path: "/_sub", topicHeader: ":topic" },
};

/**
 * Carries messages to one go-micro subscription. Its publishers take any answer for delivery, and so does this: go-micro
 * answers 200 whatever its handlers did. Only a request that fails is made again.
 */
export class GoCarrier implements Carrier {
  readonly #nodeId: string;
  readonly #peer: GoPeer;
  readonly #outbox: Outbox;
  readonly #onError: (error: BrokerError) => void;
  readonly #wire: GoWire;
  #failures = 0;

  constructor(nodeId: string, peer: GoPeer, outbox: Outbox, onError: (error: BrokerError) => void, oldWire: boolean) {
    this.#nodeId = nodeId;
    this.#wire = oldWire ? GO_WIRES.old : GO_WIRES.current;
    this.#peer = peer;
    this.#outbox = outbox;
    this.#onError = onError;
  }

  offer(entry: Entry): void {
    const { message } = entry;
    const header = { ...message.header, [this.#wire.topicHeader]: message.topic };
    const request = {
      path: `${this.#wire.path}?id=${queryEscape(this.#nodeId)}`,
      headers: { "Content-Type": "application/json" },
      body: writeEnvelope(header, message.body),
      timeoutMs: ANSWER_TIMEOUT_MS,
    };
    this.#peer.send(request).then(
      () => {
        if (this.#peer.closed) return;
        this.#failures = 0;
        this.#outbox.accept(entry);
        this.#outbox.settle(entry, ACK);
      },
      (error: unknown) => {
        // This broker has disconnected, and has counted what it gave up.
        if (this.#peer.closed) return;
        const pauseMs = Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** Math.min(this.#failures, 10));
        this.#failures += 1;
        this.#outbox.refuse(entry, pauseMs);
        if (this.#failures === 1)
          this.#onError(
            wrapError(error, "ERR_CONNECTION_LOST", `The go-micro peer at ${this.#peer.address} could not be reached`, {
              driver: "http",
              topic: entry.topic,
            }),
          );
      },
    );
  }
}

/** As Go's `url.QueryEscape`: everything but letters, digits and `-_.~` is escaped, and a space is a plus sign. */
function queryEscape(text: string): string {
  const escaped = encodeURIComponent(text.toWellFormed());
  return escaped
    .replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
