import type { ConfirmChannel } from "amqplib";
import { BrokerError, describeError } from "../../errors.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import { Deque } from "../../internal/deque.ts";
import { NumberedItems } from "../../internal/numbered-items.ts";
import { ACCESS_REFUSED, classifyOperation, NOT_FOUND, replyCode } from "./classify.ts";
import { FIELD, type NativeMessage, numberOfCopy } from "./native-message.ts";
import { PutAside } from "./put-aside.ts";
import { closeChannel, type Session } from "./session.ts";
import { SharedTables } from "./shared-tables.ts";

/** How often a message may be on a channel that breaks, while its connection holds, before it is the message's own fault. */
const MAX_CHANNELS = 3;

/** How many bytes wait for their confirms at once. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * How long the server may confirm nothing before what waits is sent again on another channel, in milliseconds; doubled each
 * time. RabbitMQ loses what it takes for a quorum queue that has no leader yet, as after a crash of the node.
 */
const STALL_MS = 5_000;
const MAX_STALL_MS = 60_000;

/** How long a channel is used at least before what a queue did not take makes another one necessary, in milliseconds. */
const MIN_CHANNEL_MS = 200;

/** What becomes of a message that was sent: a queue has it, or no queue wanted it. */
export type Routed = "stored" | "unrouted";

/** A message on its way to the server. */
export interface Sending {
  readonly exchange: string;
  readonly routingKey: string;
  readonly message: NativeMessage;
  /** Whether it is sent again, after a connection that broke before its confirm. Otherwise it fails. */
  readonly resend: boolean;
  confirm(state: Routed): void;
  fail(error: BrokerError): void;
}

/** A message between `send` and its answer. */
interface InFlight {
  readonly sending: Sending;
  /** It came back: no queue wants it. */
  returned: boolean;
  /** How many channels have broken with it. */
  channels: number;
  /** How often a queue did not take it. */
  refusals: number;
}

/**
 * Publishes with confirms, in order, with a bounded number on the way. RabbitMQ confirms what no queue takes, and drops it: a
 * message that comes back before its confirm is `unrouted`.
 */
export class PublishWindow {
  readonly #max: number;
  readonly #clock: Clock;
  readonly #onError: (error: BrokerError) => void;
  /** What must not be sent again goes ahead of the rest: restoring a connection needs some of it. */
  readonly #urgent = new Deque<InFlight>();
  readonly #waiting = new Deque<InFlight>();
  /** What waits for its confirm, by the copy's number. */
  readonly #sent = new NumberedItems<InFlight>();
  readonly #aside: PutAside<InFlight>;
  readonly #tables = new SharedTables();
  #bytes = 0;
  /** Whether what waits for its confirm was on a channel that broke: nothing else is sent meanwhile. */
  #alone = false;
  #channel: ConfirmChannel | undefined;
  /** When it was opened, in milliseconds since the epoch. */
  #openedAt = 0;
  /** Whether it is replaced as soon as everything on it is answered. */
  #worn = false;
  /** Whether everything may be sent, not only what restoring a connection needs. */
  #resumed = false;
  /** An exchange turned out to be gone, and the connection with it was given up. */
  #exchangeGone = false;
  #session: Session | undefined;
  /** Runs while something waits for its confirm. */
  #watch: Timer | undefined;
  #stallMs = STALL_MS;
  #confirms = 0;
  /** Why nothing is sent any more. */
  #closed: BrokerError | undefined;

  constructor(max: number, clock: Clock, onError: (error: BrokerError) => void) {
    this.#max = max;
    this.#clock = clock;
    this.#onError = onError;
    this.#aside = new PutAside(clock, (message) => {
      this.#queueOf(message).push(message);
      this.#pump();
    });
  }

  /** Whether an exchange turned out to be gone, and no connection has been resumed since. */
  get exchangeGone(): boolean {
    return this.#exchangeGone;
  }

  /** How many messages are not answered yet. */
  get size(): number {
    return this.#urgent.size + this.#waiting.size + this.#sent.size + this.#aside.size;
  }

  /** Sends a message, or keeps it until there is room or a connection. */
  send(sending: Sending): void {
    if (this.#closed !== undefined) return sending.fail(this.#closed);
    const message = { sending, returned: false, channels: 0, refusals: 0 };
    this.#queueOf(message).push(message);
    this.#pump();
  }

  /** As {@link send}, as a promise; fails when the connection breaks before the confirm. */
  publish(exchange: string, routingKey: string, message: NativeMessage): Promise<Routed> {
    return new Promise((resolve, reject) => {
      this.send({ exchange, routingKey, message, resend: false, confirm: resolve, fail: reject });
    });
  }

  /** Begins on a connection, for now only with what must not be sent again: restoring the rest needs it. */
  async attach(session: Session): Promise<void> {
    const channel = await session.confirmChannel();
    channel.on("return", ({ properties }) => {
      const copy = (properties.headers as Record<string, unknown> | undefined)?.[FIELD.copy];
      const message = this.#sent.get(numberOfCopy(copy));
      if (message !== undefined) message.returned = true;
    });
    let cause: unknown;
    channel.on("error", (error) => {
      cause = error;
    });
    channel.on("close", () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#takeBack(cause);
      // A connection that ends closes its channels first: then another channel is the next one's to open.
      queueMicrotask(() => this.#renew(session, cause));
    });
    this.#channel = channel;
    this.#openedAt = this.#clock.now();
    this.#worn = false;
    this.#session = session;
    this.#pump();
  }

  /** Everything is on this connection: sends what an earlier one left unconfirmed, and what has come since. */
  resume(session: Session): void {
    if (this.#session !== session) return;
    this.#resumed = true;
    this.#exchangeGone = false;
    this.#pump();
  }

  /** The connection is gone: what must not be sent again fails, the rest waits for the next one. */
  detach(error: BrokerError): void {
    this.#channel = undefined;
    this.#session = undefined;
    this.#resumed = false;
    this.#takeBack(undefined);
    for (const message of this.#aside.drain()) this.#queueOf(message).push(message);
    for (const { sending } of this.#urgent.drain()) sending.fail(error);
  }

  /** Fails everything that is not answered, and what comes from now on. */
  close(error: BrokerError): void {
    this.#closed = error;
    this.detach(error);
    for (const { sending } of this.#waiting.drain()) sending.fail(error);
  }

  /** Goes on on another channel of the same connection. */
  #renew(session: Session, cause: unknown): void {
    if (!session.alive) return;
    // An exchange is gone, and with it every binding: the next connection makes all of it anew.
    if (replyCode(cause) === NOT_FOUND) {
      this.#exchangeGone = true;
      return session.destroy();
    }
    this.attach(session).catch((error: unknown) => {
      // Where the connection has ended too, the next one attaches; where it has not, it must.
      if (!session.alive) return;
      this.#onError(lost(error));
      session.destroy();
    });
  }

  #watchConfirms(): void {
    if (this.#watch !== undefined) return;
    const confirmed = this.#confirms;
    this.#watch = this.#clock.after(this.#stallMs, () => {
      this.#watch = undefined;
      if (this.#sent.size === 0) return;
      const [channel, session] = [this.#channel, this.#session];
      const stalled = this.#confirms === confirmed && session?.blocked === false && channel !== undefined;
      if (!stalled) return this.#watchConfirms();
      this.#onError(unconfirmed(this.#stallMs));
      this.#stallMs = Math.min(MAX_STALL_MS, this.#stallMs * 2);
      this.#replace(channel, session);
    });
  }

  /** Sends what is not answered, and what comes, on another channel of the connection. */
  #replace(channel: ConfirmChannel, session: Session): void {
    this.#channel = undefined;
    this.#takeBack(undefined);
    this.#renew(session, undefined);
    void closeChannel(channel);
  }

  #queueOf({ sending }: InFlight): Deque<InFlight> {
    return sending.resend ? this.#waiting : this.#urgent;
  }

  #rest(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
  }

  /** Puts what was sent and not confirmed in front of what waits. */
  #takeBack(cause: unknown): void {
    // Written in the order of their numbers, now and before.
    const back = [...this.#sent].sort(([one], [other]) => one - other).map(([, inFlight]) => inFlight);
    for (const { sending } of back) this.#sent.delete(sending.message.number);
    this.#bytes = 0;
    this.#alone = false;
    this.#rest();
    for (const message of back.reverse()) {
      message.returned = false;
      if (cause !== undefined) message.channels += 1;
      if (message.channels >= MAX_CHANNELS) message.sending.fail(refused(cause));
      else this.#queueOf(message).unshift(message);
    }
  }

  #pump(): void {
    if (this.#worn) {
      if (this.#sent.size === 0 && this.#channel !== undefined && this.#session !== undefined)
        this.#replace(this.#channel, this.#session);
      return;
    }
    while (this.#channel !== undefined && this.#sent.size < this.#max && this.#bytes < MAX_BYTES) {
      const queue = this.#urgent.size > 0 || !this.#resumed ? this.#urgent : this.#waiting;
      const next = queue.peek();
      if (next === undefined) return;
      // One of those that were on a channel that broke has broken it: each goes alone, so that it takes no other with it.
      const suspect = next.channels > 0;
      if (this.#sent.size > 0 && (suspect || this.#alone)) return;
      this.#alone = suspect;
      queue.shift();
      this.#write(this.#channel, next);
    }
  }

  #write(channel: ConfirmChannel, inFlight: InFlight): void {
    const { exchange, routingKey, message } = inFlight.sending;
    const { number, content, headers, options } = message;
    this.#sent.set(number, inFlight);
    this.#bytes += content.length;
    this.#watchConfirms();
    this.#session?.gather();
    try {
      // Set, as a copy of the options would cost what the shared table saves.
      options.headers = this.#tables.filled(headers);
      channel.publish(exchange, routingKey, content, options, (error: unknown) =>
        this.#answered(channel, inFlight, error),
      );
    } catch (error) {
      // The client throws for a message that it cannot write, and for a channel that has just ended; then its end takes it back.
      if (error instanceof RangeError || error instanceof TypeError) this.#done(inFlight, refused(error));
    }
  }

  #answered(channel: ConfirmChannel, inFlight: InFlight, error: unknown): void {
    // A channel that ended answers everything with an error: taking it back, or not, is decided elsewhere.
    if (this.#channel !== channel || this.#sent.get(inFlight.sending.message.number) !== inFlight) return;
    this.#confirms += 1;
    if (error === null) {
      this.#stallMs = STALL_MS;
      this.#done(inFlight, undefined);
    } else if (describeError(error) === "message nacked") this.#refused(inFlight, error);
    else return;
    this.#pump();
  }

  /**
   * A queue did not take it: one that is full, or whose node went down. RabbitMQ 3.10 takes nothing more for a quorum queue on a
   * channel that was opened while the queue's leader was down, whoever leads it now: what is sent again goes over another one.
   */
  #refused(inFlight: InFlight, error: unknown): void {
    if (!this.#aside.take(inFlight)) return this.#done(inFlight, refused(error));
    this.#forget(inFlight);
    this.#worn ||= this.#clock.now() - this.#openedAt >= MIN_CHANNEL_MS;
  }

  #forget({ sending }: InFlight): void {
    const { number, content } = sending.message;
    if (this.#sent.get(number) !== undefined) this.#bytes -= content.length;
    this.#sent.delete(number);
    if (this.#sent.size === 0) this.#rest();
  }

  #done(inFlight: InFlight, error: BrokerError | undefined): void {
    this.#forget(inFlight);
    const { sending, returned } = inFlight;
    if (error !== undefined) sending.fail(error);
    else sending.confirm(returned ? "unrouted" : "stored");
  }
}

function refused(cause: unknown): BrokerError {
  if (replyCode(cause) === ACCESS_REFUSED) return classifyOperation(cause, "the exchange or topic of the message");
  return new BrokerError("ERR_DRIVER", `RabbitMQ did not take the message: ${describeError(cause)}`, {
    driver: "rabbitmq",
    scope: "message",
    retryable: true,
    cause,
  });
}

function unconfirmed(forMs: number): BrokerError {
  const message = `RabbitMQ has confirmed nothing for ${forMs} ms, as where a cluster lacks a majority of its nodes: what waits is sent again.`;
  return new BrokerError("ERR_DRIVER", message, { driver: "rabbitmq", retryable: true });
}

function lost(cause: unknown): BrokerError {
  return new BrokerError(
    "ERR_CONNECTION_LOST",
    "The publishing channel broke and could not be opened again: the connection is restored.",
    {
      driver: "rabbitmq",
      cause,
    },
  );
}
