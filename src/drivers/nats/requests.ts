import type { Msg, MsgHdrs, NatsConnection, Subscription } from "@nats-io/transport-node";
import { BrokerError } from "../../errors.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { Deque } from "../../internal/deque.ts";
import type { NatsClient } from "./client.ts";
import { readableHeaders } from "./native-header.ts";

/** How many requests, and bytes of them, may be unanswered at once; the rest waits its turn. */
const WINDOW_REQUESTS = 1_024;
const WINDOW_BYTES = 8 * 1024 * 1024;

/** How long a request waits for its answer before it is sent again, and before it fails, in milliseconds. */
const RESEND_AFTER_MS = 5_000;
const GIVE_UP_AFTER_MS = 30_000;

/** After how long a request is sent again that nobody answers for, in milliseconds: a server still opening its streams. */
const NOBODY_AGAIN_MS = 200;

/**
 * For how long nobody may answer for a subject before its stream is taken for gone, in milliseconds: its members notice first, and
 * a server is not done at once with the files of a removed stream.
 */
const NOBODY_MS = 1_000;

/** A request whose answer decides something. It may be sent more than once. */
export interface Request {
  readonly subject: string;
  readonly payload: Uint8Array | string;
  readonly headers?: MsgHdrs | undefined;
  /** How long nobody may answer for it, in milliseconds. Default as long as for an answer. */
  readonly nobodyForMs?: number;
  /** How long it may go unanswered, in milliseconds: about a second more at most. Default 30,000. */
  readonly answerWithinMs?: number | undefined;
  /** Takes an answer. Returns whether it is the server's: whoever hears the subject may answer too, and is not heard. */
  answer(message: Msg): boolean;
  fail(error: BrokerError): void;
  /** Called before it is sent once more: from then on the client may still hold it when its answer has come. */
  sentAgain?(): void;
}

interface Pending {
  readonly request: Request;
  readonly bytes: number;
  /** When it was enqueued, or sent first. */
  since: number;
  sentAt: number;
  nobodySince: number | undefined;
}

/** Requests in a window, in order, and sent again in order after a lost connection: each is answered or fails. */
export class Requests {
  readonly #connection: NatsConnection;
  readonly #clock: Clock;
  readonly #nobody: (subject: string) => void;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #unanswered = new Map<string, Pending>();
  readonly #waiting = new Deque<Pending>();
  #bytes = 0;
  #counter = 0;
  #answeredAt = 0;
  #up = true;
  /** Why nothing is sent any more. */
  #ended: string | undefined;
  #timer: Timer | undefined;
  #again: Timer | undefined;
  #idle: Deferred<void> | undefined;

  /** @param nobody called now and then with a subject for which nobody has answered for a while */
  constructor(client: NatsClient, connection: NatsConnection, clock: Clock, nobody: (subject: string) => void) {
    this.#connection = connection;
    this.#clock = clock;
    this.#nobody = nobody;
    this.#inbox = client.createInbox();
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#answered(message);
      },
    });
  }

  send(request: Request): void {
    if (this.#ended !== undefined) return request.fail(lost(this.#ended));
    const { payload } = request;
    const bytes = payload.length;
    const now = this.#clock.now();
    this.#waiting.push({ request, bytes, since: now, sentAt: now, nobodySince: undefined });
    this.#fill();
    this.#arm();
  }

  /** The connection is lost: nothing is sent until `resume`. */
  pause(): void {
    this.#up = false;
  }

  /** The connection is back: first what `again` holds is sent, then again what is unanswered. */
  resume(again: readonly Request[] = []): void {
    this.#up = true;
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    const now = this.#clock.now();
    for (const request of again) {
      const pending = { request, bytes: 0, since: now, sentAt: now, nobodySince: undefined };
      this.#unanswered.set((this.#counter++).toString(36), pending);
    }
    for (const [token, pending] of unanswered) this.#unanswered.set(token, pending);
    this.#resend(() => true);
    this.#fill();
    this.#arm();
  }

  /** Fails what was sent to a subject that the server refuses. */
  refused(subject: string, error: BrokerError): void {
    for (const [token, { request }] of this.#unanswered)
      if (request.subject === subject) this.#take(token)?.fail(error);
  }

  /** Resolves when every request is answered or failed. */
  settled(): Promise<void> {
    if (this.#unanswered.size === 0 && this.#waiting.size === 0) return Promise.resolve();
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  /** Fails what is unanswered, and what comes from now on. Idempotent. */
  close(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#timer?.cancel();
    this.#again?.cancel();
    if (!this.#connection.isClosed()) this.#subscription.unsubscribe();
    const left = [...this.#unanswered.values(), ...this.#waiting.drain()];
    this.#unanswered.clear();
    for (const { request } of left) request.fail(lost(reason));
    this.#idle?.resolve();
  }

  #fill(): void {
    while (
      this.#up &&
      this.#unanswered.size < WINDOW_REQUESTS &&
      (this.#bytes < WINDOW_BYTES || this.#unanswered.size === 0)
    ) {
      const pending = this.#waiting.shift();
      if (pending === undefined) return;
      const token = (this.#counter++).toString(36);
      this.#unanswered.set(token, pending);
      this.#bytes += pending.bytes;
      pending.since = this.#clock.now();
      this.#write(token, pending);
    }
  }

  #write(token: string, pending: Pending): void {
    const { subject, payload, headers } = pending.request;
    pending.sentAt = this.#clock.now();
    try {
      this.#connection.publish(subject, payload, {
        reply: `${this.#inbox}.${token}`,
        ...(headers === undefined ? {} : { headers }),
      });
    } catch (error) {
      // The connection is closed, or the client refuses this one request.
      this.#take(token)?.fail(
        new BrokerError("ERR_DRIVER", `The NATS client refused a request: ${(error as Error).message}`, {
          driver: "nats",
          cause: error,
        }),
      );
    }
  }

  #answered(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length + 1);
    this.#answeredAt = this.#clock.now();
    const pending = this.#unanswered.get(token);
    if (pending === undefined) return;
    if (message.data.length > 0 || readableHeaders(message)?.code !== 503) {
      if (pending.request.answer(message)) this.#take(token);
      this.#fill();
      return;
    }
    const now = this.#clock.now();
    pending.nobodySince ??= now;
    if (now - pending.nobodySince >= (pending.request.nobodyForMs ?? GIVE_UP_AFTER_MS)) {
      this.#take(token)?.fail(lost("no stream or consumer answers for it"));
      this.#fill();
      return;
    }
    if (now - pending.nobodySince >= NOBODY_MS) this.#nobody(pending.request.subject);
    this.#again ??= this.#clock.after(NOBODY_AGAIN_MS, () => {
      this.#again = undefined;
      if (this.#up) this.#resend(({ nobodySince }) => nobodySince !== undefined);
    });
  }

  #resend(matches: (pending: Pending) => boolean): void {
    for (const [token, pending] of [...this.#unanswered]) {
      if (!matches(pending)) continue;
      pending.request.sentAgain?.();
      this.#write(token, pending);
    }
  }

  #take(token: string): Request | undefined {
    const pending = this.#unanswered.get(token);
    if (pending === undefined) return undefined;
    this.#unanswered.delete(token);
    this.#bytes -= pending.bytes;
    if (this.#unanswered.size === 0 && this.#waiting.size === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
    return pending.request;
  }

  #arm(): void {
    if (this.#unanswered.size === 0 && this.#waiting.size === 0) return;
    this.#timer ??= this.#clock.after(1_000, () => {
      this.#timer = undefined;
      const now = this.#clock.now();
      for (const [token, { since, request }] of this.#unanswered)
        if (now - since >= (request.answerWithinMs ?? GIVE_UP_AFTER_MS))
          this.#take(token)?.fail(lost("the server did not answer in time"));
      for (const late of this.#waiting.remove(
        ({ since }) => now - Math.max(since, this.#answeredAt) >= GIVE_UP_AFTER_MS,
      ))
        late.request.fail(lost("the server did not answer in time"));
      if (this.#up) this.#resend(({ sentAt }) => now - sentAt >= RESEND_AFTER_MS);
      this.#fill();
      this.#arm();
    });
  }
}

function lost(reason: string): BrokerError {
  return new BrokerError("ERR_CONNECTION_LOST", `A request to the NATS server failed: ${reason}.`, { driver: "nats" });
}
