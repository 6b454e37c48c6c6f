import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { type Envelope, readEnvelope } from "../../codecs/go-micro-envelope.ts";
import { goMicroId } from "../../codecs/go-micro-headers.ts";
import { copyHeader, type Header, messageBytes } from "../../message.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import { laneOf } from "../../outbox/subscribe-local.ts";
import { isTopic } from "../../topics.ts";
import { GO_WIRES } from "./go-carrier.ts";
import type { ReceivingSubscriptions } from "./receiving-subscriptions.ts";
import { sendGoError } from "./server-answers.ts";

/** Takes messages that go-micro peers post. They will not send them again: this process's own outbox keeps them. */
export class GoReceiver {
  readonly #outbox: Outbox;
  readonly #subscriptions: ReceivingSubscriptions;
  readonly #acceptTimeoutMs: number;

  constructor(outbox: Outbox, subscriptions: ReceivingSubscriptions, acceptTimeoutMs: number) {
    this.#outbox = outbox;
    this.#subscriptions = subscriptions;
    this.#acceptTimeoutMs = acceptTimeoutMs;
  }

  /** Handles one posted message; `text` is the request's body. */
  receive(id: string, text: string, response: ServerResponse): void {
    let envelope: Envelope;
    try {
      envelope = readEnvelope(text);
    } catch (error) {
      return sendGoError(response, 500, `Error parsing request body: ${(error as Error).message}`);
    }
    const { body } = envelope;
    const header = withoutOldTopic(envelope.header);
    const subscription = this.#subscriptions.byId(id);
    const topic = envelope.header[GO_WIRES.current.topicHeader] ?? envelope.header[GO_WIRES.old.topicHeader];
    if (topic === undefined || topic === "") return sendGoError(response, 500, "Topic not found");
    if (subscription === undefined || !isTopic(topic) || !subscription.wants(topic))
      return sendGoError(response, 404, "Subscription not found");
    const content = {
      id: goMicroId(header) ?? randomUUID(),
      topic,
      key: undefined,
      header,
      body,
      bytes: messageBytes(header, body),
      mandatory: false,
      origin: undefined,
    };
    const answers = {
      confirm: () => void response.writeHead(200, { "Content-Length": 0 }).end(),
      fail: (error: Error) => sendGoError(response, 503, error.message),
    };
    const lane = laneOf(this.#outbox, subscription.request);
    this.#outbox.publishTo(lane, { ...content, ...answers }, this.#acceptTimeoutMs);
  }
}

/** An older go-micro takes its topic header out again before a handler sees the message, and so does this. */
function withoutOldTopic(header: Header): Header {
  const { [GO_WIRES.old.topicHeader]: topic, ...rest } = header;
  return topic === undefined ? header : copyHeader(rest).header;
}
