import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Outcome, SubscribeRequest } from "../../driver.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import { messageBytes } from "../../message.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import { laneOf } from "../../outbox/subscribe-local.ts";
import { matchesTopic } from "../../topics.ts";
import { type Envelope, readEnvelope } from "./envelope.ts";
import { Gate, type Ticket } from "./gate.ts";
import { type RemoteContent, RemoteDelivery, sendOutcome } from "./remote-delivery.ts";
import { sendGoError, sendStatus } from "./server-answers.ts";
import { decodeText, isTag, isTime, isTopic, STATUS, WIRE_HEADERS } from "./wire.ts";

/** How many outcomes are remembered: a sender that was cut off, perhaps with the answer on its way, asks again. */
const MAX_OUTCOMES = 1_000;

/** How often a sender hears that its message is still held: half the subscription's time limit, within these bounds, in milliseconds. */
const HEARTBEAT_MS = { least: 500, most: 10_000 };

/** How long a sender may ask a full subscription to keep its message waiting, in milliseconds. */
const MAX_WAIT_MS = 30_000;

/** A subscription of this process, as messages from outside reach it. */
export interface ReceivingSubscription {
  readonly request: SubscribeRequest;
  readonly gate: Gate;
  /** Messages of other processes that it holds, by the name of their handing-over. */
  readonly held: Map<string, RemoteDelivery>;
  /** Outcomes of the latest messages, by the name of their handing-over, oldest first. */
  readonly outcomes: Map<string, Outcome>;
  /** Runs while it holds messages of others. */
  heartbeat: Timer | undefined;
}

/** Takes messages that other processes post to the subscriptions of this one. */
export class Receiver {
  readonly #subscriptions = new Map<string, ReceivingSubscription>();
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #acceptTimeoutMs: number;

  constructor(outbox: Outbox, clock: Clock, acceptTimeoutMs: number) {
    this.#outbox = outbox;
    this.#clock = clock;
    this.#acceptTimeoutMs = acceptTimeoutMs;
  }

  add(request: SubscribeRequest): ReceivingSubscription {
    const subscription = {
      request,
      gate: new Gate(request.prefetch),
      held: new Map(),
      outcomes: new Map(),
      heartbeat: undefined,
    };
    this.#subscriptions.set(request.id, subscription);
    return subscription;
  }

  remove(id: string): void {
    this.#subscriptions.get(id)?.heartbeat?.cancel();
    this.#subscriptions.delete(id);
  }

  /** Handles one posted message; `text` is the request's body. */
  receive(id: string, headers: IncomingHttpHeaders, text: string, response: ServerResponse): void {
    let envelope: Envelope;
    try {
      envelope = readEnvelope(text);
    } catch (error) {
      return sendGoError(response, 500, `Error parsing request body: ${(error as Error).message}`);
    }
    const subscription = this.#subscriptions.get(id);
    if (headers[WIRE_HEADERS.id] === undefined) this.#fromGo(subscription, envelope, response);
    else this.#fromPeer(subscription, headers, envelope, response);
  }

  /** From a Tidings peer, which keeps the message until it is settled. */
  #fromPeer(
    subscription: ReceivingSubscription | undefined,
    headers: IncomingHttpHeaders,
    { header, body }: Envelope,
    response: ServerResponse,
  ): void {
    const envelope = readPeerHeaders(headers);
    if (envelope === undefined)
      return sendGoError(response, 400, "a header of Tidings is missing or malformed: its id, topic, key or attempt");
    if (subscription === undefined || !matchesTopic(subscription.request.pattern, envelope.topic))
      return sendStatus(response, STATUS.gone, "no such subscription");
    const name = decodeText(headers[WIRE_HEADERS.delivery]) ?? randomUUID();
    if (recall(subscription, name, response)) return;
    this.#place(
      subscription,
      name,
      { ...envelope, header, body },
      Number(headers[WIRE_HEADERS.acceptWithin]),
      response,
    );
  }

  /** Gives the message a place within the prefetch, or answers in time that there is none. */
  #place(
    subscription: ReceivingSubscription,
    name: string,
    content: RemoteContent,
    acceptWithinMs: number,
    response: ServerResponse,
  ): void {
    let ticket: Ticket | undefined;
    const waitMs = Number.isFinite(acceptWithinMs) ? Math.min(MAX_WAIT_MS, Math.max(0, acceptWithinMs)) : MAX_WAIT_MS;
    let waiting = true;
    const timer = this.#clock.after(waitMs, () => {
      ticket?.cancel();
      if (waiting) sendStatus(response, STATUS.full, "no room");
      waiting = false;
    });
    const settled = () => {
      waiting = false;
      timer.cancel();
    };
    response.once("close", () => {
      if (!waiting) return;
      ticket?.cancel();
      settled();
    });
    ticket = subscription.gate.ask(
      () => {
        settled();
        this.#take(subscription, name, content, response);
      },
      () => {
        settled();
        sendStatus(response, STATUS.gone, "the subscription is ending");
      },
    );
  }

  #take(subscription: ReceivingSubscription, name: string, content: RemoteContent, response: ServerResponse): void {
    const { held, outcomes, gate, request } = subscription;
    // While it waited for its place, the same handing-over may have come again and got one.
    if (recall(subscription, name, response)) return gate.leave();
    const delivery = new RemoteDelivery(content, response, (outcome) => {
      held.delete(name);
      outcomes.set(name, outcome);
      if (outcomes.size > MAX_OUTCOMES) outcomes.delete(outcomes.keys().next().value as string);
      gate.leave();
    });
    held.set(name, delivery);
    response.writeProcessing();
    this.#armHeartbeat(subscription);
    request.deliver(delivery);
  }

  // A message may wait long for its turn within the prefetch; without a word its sender would take this process for hung.
  #armHeartbeat(subscription: ReceivingSubscription): void {
    if (subscription.heartbeat !== undefined || subscription.held.size === 0) return;
    const everyMs = Math.min(HEARTBEAT_MS.most, Math.max(HEARTBEAT_MS.least, subscription.request.ackTimeoutMs / 2));
    subscription.heartbeat = this.#clock.after(everyMs, () => {
      subscription.heartbeat = undefined;
      for (const delivery of subscription.held.values()) delivery.heartbeat();
      this.#armHeartbeat(subscription);
    });
  }

  /** From a go-micro peer, which will not send it again: this process's own outbox keeps it. */
  #fromGo(subscription: ReceivingSubscription | undefined, { header, body }: Envelope, response: ServerResponse): void {
    const topic = header["Micro-Topic"];
    if (topic === undefined || topic === "") return sendGoError(response, 500, "Topic not found");
    if (subscription === undefined || !isTopic(topic) || !matchesTopic(subscription.request.pattern, topic))
      return sendGoError(response, 404, "Subscription not found");
    const id = [header["Micro-ID"], header["Micro-Id"]].find(isTag) ?? randomUUID();
    const content = {
      id,
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

/** What the headers of a Tidings peer say of its message; `undefined` where one is missing or malformed. */
function readPeerHeaders(headers: IncomingHttpHeaders): Omit<RemoteContent, "header" | "body"> | undefined {
  const id = decodeText(headers[WIRE_HEADERS.id]);
  const topic = decodeText(headers[WIRE_HEADERS.topic]);
  const key = decodeText(headers[WIRE_HEADERS.key]);
  const attempt = Number(headers[WIRE_HEADERS.attempt]);
  const firstFailure = headers[WIRE_HEADERS.firstFailure];
  const firstFailureAt = firstFailure === undefined ? undefined : Number(firstFailure);
  if (!isTag(id) || !isTopic(topic) || !(Number.isSafeInteger(attempt) && attempt >= 1)) return undefined;
  if (!isTag(key) && headers[WIRE_HEADERS.key] !== undefined) return undefined;
  if (firstFailureAt !== undefined && !isTime(firstFailureAt)) return undefined;
  return { id, topic, key, attempt, firstFailureAt };
}

/** Answers for a handing-over that is known: it runs, or has an outcome. Returns whether it is. */
function recall({ held, outcomes }: ReceivingSubscription, name: string, response: ServerResponse): boolean {
  const outcome = outcomes.get(name);
  held.get(name)?.reattach(response);
  if (outcome !== undefined) void sendOutcome(response, outcome);
  return outcome !== undefined || held.has(name);
}
