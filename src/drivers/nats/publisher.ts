import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { DriverContext, Publication } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { isDeadLetterTopic } from "../../topics.ts";
import type { NatsClient } from "./client.ts";
import { answerOf, publishError } from "./jetstream.ts";
import { bytesBeyond, writeHeaders } from "./native-header.ts";
import { type Confirmed, Recent } from "./recent.ts";
import type { Request, Requests } from "./requests.ts";
import type { Names } from "./subjects.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** What of the server's `max_payload` is kept for what a dead letter says beyond its message, in bytes. */
export const DEAD_LETTER_BYTES: number = 16 * 1024;

/** What a message that was confirmed a moment ago takes beside its header and body, in bytes: about. */
const KEPT_BYTES = 512;

/** Publishes into the streams: each publish under an id of its own, by which JetStream knows its retries. */
export class Publisher {
  readonly #connection: NatsConnection;
  readonly #requests: Requests;
  readonly #names: Names;
  readonly #context: DriverContext;
  readonly #session: string;
  readonly #recent: Recent;
  /** Who waits for room in the stream of messages, and in that of dead letters. */
  readonly #waiting: WaitingRoom<Sending>;
  readonly #waitingDead: WaitingRoom<Sending>;
  #counter = 0;
  #closed = false;

  constructor(
    client: NatsClient,
    connection: NatsConnection,
    requests: Requests,
    names: Names,
    context: DriverContext,
  ) {
    this.#connection = connection;
    this.#requests = requests;
    this.#names = names;
    this.#context = context;
    this.#session = client.nuid.next();
    this.#recent = new Recent(context.clock);
    const again = (sending: Sending): void => this.#send(sending, true);
    this.#waiting = new WaitingRoom(context.clock, again);
    this.#waitingDead = new WaitingRoom(context.clock, again);
  }

  publish(publication: Publication): void {
    const { topic } = publication;
    const copy = this.#names.topic(topic);
    const sending: Sending = {
      publication,
      publishId: `${this.#session}-${(this.#counter++).toString(36)}`,
      // A dead letter goes as a copy to whoever wants it, then to the standing queue: where there is no room for the copy, it
      // is not kept yet, and may be published again without being kept twice.
      missing: isDeadLetterTopic(topic) ? [copy, this.#names.standing(topic)] : [copy],
      asksForRoom: false,
      sentAgain: false,
      inDoubt: 0,
    };
    const room = this.#roomOf(publication);
    if (room.occupied) room.behind(sending);
    else this.#send(sending, false);
  }

  /** A stream has the message, or, with an error, has not taken it. What one has is not sent there again. */
  answered(sending: Sending, write: Write, error?: BrokerError): void {
    const { publication, missing, asksForRoom } = sending;
    if (error === undefined) {
      sending.inDoubt += 1;
      this.#recent.add(write, publication.bytes + KEPT_BYTES);
      missing.shift();
      if (missing.length > 0) return this.#write(sending, write.headers);
    }
    const room = this.#roomOf(publication);
    const waits = this.#context.options.whenFull === "wait" && !this.#closed;
    if (error?.code === "ERR_BACKLOG_FULL" && waits) return room.refused(sending, asksForRoom);
    if (error === undefined) publication.confirm("stored");
    else publication.fail(error);
    if (asksForRoom) room.answered();
  }

  /** The connection is lost, maybe to a server that is going down. */
  down(): void {
    this.#recent.freeze();
  }

  /** What was confirmed just before the connection was lost, to be sent again under the same ids. */
  doubtful(): Request[] {
    return this.#recent.take().map(({ subject, payload, headers }) => ({
      subject,
      payload,
      headers,
      answer: (message) => {
        const answer = answerOf(message);
        if (answer?.error !== undefined) this.#context.onError(publishError(answer.error));
        return answer !== undefined;
      },
      fail: (error) => this.#context.onError(error),
    }));
  }

  /** Fails what waits for room. */
  close(): void {
    this.#closed = true;
    for (const { publication } of [...this.#waiting.close(), ...this.#waitingDead.close()]) {
      const message = `The broker was closed while the message to ${publication.topic} waited for room.`;
      publication.fail(new BrokerError("ERR_BACKLOG_FULL", message, { driver: "nats", topic: publication.topic }));
    }
  }

  #send(sending: Sending, asksForRoom: boolean): void {
    const { publication, publishId } = sending;
    const { topic, origin } = publication;
    const headers = writeHeaders(publication, publishId);
    const payload = this.#connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const room = isDeadLetterTopic(topic) || origin !== undefined ? payload : payload - DEAD_LETTER_BYTES;
    const bytes = bytesBeyond(room, publication, headers);
    if (bytes !== undefined) {
      const message = `The message to ${topic} takes ${bytes} bytes on NATS, of ${room} that the server carries.`;
      publication.fail(new BrokerError("ERR_MESSAGE_TOO_LARGE", message, { driver: "nats", topic }));
      if (asksForRoom) this.#roomOf(publication).answered();
      return;
    }
    sending.asksForRoom = asksForRoom;
    this.#write(sending, headers);
  }

  /** Sends it to the next stream that lacks it. */
  #write(sending: Sending, headers: MsgHdrs): void {
    const [subject] = sending.missing;
    if (subject !== undefined) this.#requests.send(new Write(this, sending, subject, headers));
  }

  #roomOf({ topic }: Publication): WaitingRoom<Sending> {
    return isDeadLetterTopic(topic) ? this.#waitingDead : this.#waiting;
  }
}

/** A publication on its way into one stream, or one after the other into two. */
interface Sending {
  readonly publication: Publication;
  /** By which JetStream knows it, however often it is sent. */
  readonly publishId: string;
  /** The subjects under which no stream has it yet, in the order of writing. */
  readonly missing: string[];
  /** Whether the waiting room sent it. */
  asksForRoom: boolean;
  /** Whether a part of it was sent more than once. */
  sentAgain: boolean;
  /** How many streams have confirmed it a moment ago, so that it may be sent there again. */
  inDoubt: number;
}

/** The request that writes a publication into a stream. */
class Write implements Confirmed {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: MsgHdrs;
  readonly #publisher: Publisher;
  readonly #sending: Sending;

  constructor(publisher: Publisher, sending: Sending, subject: string, headers: MsgHdrs) {
    this.subject = subject;
    this.payload = sending.publication.body;
    this.headers = headers;
    this.#publisher = publisher;
    this.#sending = sending;
  }

  answer(message: Msg): boolean {
    const answer = answerOf(message);
    if (answer === undefined) return false;
    if (answer.error === undefined) this.#publisher.answered(this.#sending, this);
    else this.fail(publishError(answer.error, this.#sending.publication.topic));
    return true;
  }

  fail(error: BrokerError): void {
    this.#publisher.answered(this.#sending, this, error);
  }

  sentAgain(): void {
    this.#sending.sentAgain = true;
  }

  beyondDoubt(): void {
    const sending = this.#sending;
    sending.inDoubt -= 1;
    // What was answered once may still be on its way a second time.
    if (sending.inDoubt === 0 && sending.missing.length === 0 && !sending.sentAgain)
      sending.publication.giveBackBody?.();
  }
}
