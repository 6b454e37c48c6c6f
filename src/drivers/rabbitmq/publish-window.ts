import type { ConfirmChannel } from "amqplib";
import { BrokerError, describeError } from "../../errors.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import { Deque } from "../../internal/deque.ts";
import { FIELD, type NativeMessage } from "./native-message.ts";
import { closeChannel, type Session } from "./session.ts";

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

interface InFlight extends Sending {
  returned: boolean;
  channels: number;
}

/**
 * Publishes with confirms, in order, with a bounded number on the way. RabbitMQ confirms what no queue takes, and drops it: a
 * message that comes back before its confirm is `unrouted`.
 */
export class PublishWindow {
  readonly #max: number;
  readonly #clock: Clock;
  readonly #onError: (error: BrokerError) => void;
  readonly #waiting = new Deque<InFlight>();
  /** In the order of sending, by copy. */
  readonly #sent = new Map<string, InFlight>();
  #bytes = 0;
  #channel: ConfirmChannel | undefined;
  #session: Session | undefined;
  /** Runs while something waits for its confirm. */
  #watch: Timer | undefined;
  #stallMs = STALL_MS;
  #confirms = 0;

  constructor(max: number, clock: Clock, onError: (error: BrokerError) => void) {
    this.#max = max;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** How many messages are not answered yet. */
  get size(): number {
    return this.#waiting.size + this.#sent.size;
  }

  /** Sends a message, or keeps it until there is room or a connection. */
  send(sending: Sending): void {
    this.#waiting.push(Object.assign(sending, { returned: false, channels: 0 }));
    this.#pump();
  }

  /** As {@link send}, as a promise; fails when the connection breaks before the confirm. */
  publish(exchange: string, routingKey: string, message: NativeMessage): Promise<Routed> {
    return new Promise((resolve, reject) => {
      this.send({ exchange, routingKey, message, resend: false, confirm: resolve, fail: reject });
    });
  }

  /** Begins on a connection, with what an earlier one left unconfirmed. */
  async attach(session: Session): Promise<void> {
    const channel = await session.confirmChannel();
    channel.on("return", ({ properties }) => {
      const copy = (properties.headers as Record<string, unknown> | undefined)?.[FIELD.copy];
      const sending = this.#sent.get(String(copy));
      if (sending !== undefined) sending.returned = true;
    });
    let cause: unknown;
    channel.on("error", (error) => {
      cause = error;
    });
    channel.on("close", () => {
      if (this.#channel === channel) this.#renew(session, cause);
    });
    this.#channel = channel;
    this.#session = session;
    this.#pump();
  }

  /** The connection is gone: what must not be sent again fails, the rest waits for the next one. */
  detach(error: BrokerError): void {
    this.#channel = undefined;
    this.#takeBack(undefined);
    for (const sending of this.#waiting.remove(({ resend }) => !resend)) sending.fail(error);
  }

  /** Fails everything that is not answered. */
  close(error: BrokerError): void {
    this.#channel = undefined;
    this.#takeBack(undefined);
    for (const sending of this.#waiting.drain()) sending.fail(error);
  }

  /** Goes on on another channel of the same connection. */
  #renew(session: Session, cause: unknown): void {
    this.#channel = undefined;
    this.#takeBack(cause);
    if (!session.alive) return;
    this.attach(session).catch((error: unknown) => {
      // Where the connection has ended too, the next one attaches.
      if (session.alive) this.#onError(lost(error));
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
      this.#stallMs = Math.min(MAX_STALL_MS, this.#stallMs * 2);
      this.#renew(session, undefined);
      void closeChannel(channel);
    });
  }

  #rest(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
  }

  /** Puts what was sent and not confirmed in front of what waits. */
  #takeBack(cause: unknown): void {
    const back = [...this.#sent.values()];
    this.#sent.clear();
    this.#bytes = 0;
    this.#rest();
    for (const sending of back.reverse()) {
      sending.returned = false;
      if (cause !== undefined) sending.channels += 1;
      if (sending.channels < MAX_CHANNELS) this.#waiting.unshift(sending);
      else sending.fail(refused(cause));
    }
  }

  #pump(): void {
    while (this.#channel !== undefined && this.#sent.size < this.#max && this.#bytes < MAX_BYTES) {
      const sending = this.#waiting.shift();
      if (sending === undefined) return;
      this.#write(this.#channel, sending);
    }
  }

  #write(channel: ConfirmChannel, sending: InFlight): void {
    const { copy, content, options } = sending.message;
    this.#sent.set(copy, sending);
    this.#bytes += content.byteLength;
    this.#watchConfirms();
    try {
      channel.publish(sending.exchange, sending.routingKey, content, options, (error: unknown) =>
        this.#answered(channel, sending, error),
      );
    } catch (error) {
      // The client throws for a message that it cannot write, and for a channel that has just ended; then its end takes it back.
      if (error instanceof RangeError || error instanceof TypeError) this.#done(sending, refused(error));
    }
  }

  #answered(channel: ConfirmChannel, sending: InFlight, error: unknown): void {
    // A channel that ended answers everything with an error: taking it back, or not, is decided elsewhere.
    if (this.#channel !== channel || this.#sent.get(sending.message.copy) !== sending) return;
    this.#confirms += 1;
    if (error === null) {
      this.#stallMs = STALL_MS;
      this.#done(sending, undefined);
    } else if (describeError(error) === "message nacked") this.#done(sending, refused(error));
    else return;
    this.#pump();
  }

  #done(sending: InFlight, error: BrokerError | undefined): void {
    if (this.#sent.delete(sending.message.copy)) this.#bytes -= sending.message.content.byteLength;
    if (this.#sent.size === 0) this.#rest();
    if (error !== undefined) sending.fail(error);
    else sending.confirm(sending.returned ? "unrouted" : "stored");
  }
}

function refused(cause: unknown): BrokerError {
  return new BrokerError("ERR_DRIVER", `RabbitMQ did not take the message: ${describeError(cause)}`, {
    driver: "rabbitmq",
    scope: "message",
    retryable: true,
    cause,
  });
}

function lost(cause: unknown): BrokerError {
  return new BrokerError("ERR_CONNECTION_LOST", "The publishing channel broke and could not be opened again.", {
    driver: "rabbitmq",
    cause,
  });
}
