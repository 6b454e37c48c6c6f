import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import type { DriverContext, Publication } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { isDeadLetterTopic } from "../../topics.ts";
import type { NatsClient } from "./client.ts";
import { answerOf, publishError } from "./jetstream.ts";
import { bytesBeyond, encodeHeader } from "./native-header.ts";
import { Recent } from "./recent.ts";
import type { Request, Requests } from "./requests.ts";
import type { Names } from "./subjects.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** What of the server's `max_payload` is kept for what a dead letter says beyond its message, in bytes. */
export const DEAD_LETTER_BYTES: number = 16 * 1024;

/** What a message that was confirmed a moment ago takes beside its header and body, in bytes: about. */
const KEPT_BYTES = 512;

/** Publishes into the streams: each publish under an id of its own, by which JetStream knows its retries. */
export class Publisher {
  readonly #client: NatsClient;
  readonly #connection: NatsConnection;
  readonly #requests: Requests;
  readonly #names: Names;
  readonly #context: DriverContext;
  readonly #session: string;
  readonly #recent: Recent;
  /** Who waits for room in the stream of messages, and in that of dead letters. */
  readonly #waiting: WaitingRoom;
  readonly #waitingDead: WaitingRoom;
  #counter = 0;

  constructor(
    client: NatsClient,
    connection: NatsConnection,
    requests: Requests,
    names: Names,
    context: DriverContext,
  ) {
    this.#client = client;
    this.#connection = connection;
    this.#requests = requests;
    this.#names = names;
    this.#context = context;
    this.#session = client.nuid.next();
    this.#recent = new Recent(context.clock);
    const again = (publication: Publication): void => this.#send(publication, true);
    this.#waiting = new WaitingRoom(context.clock, again);
    this.#waitingDead = new WaitingRoom(context.clock, again);
  }

  publish(publication: Publication): void {
    const room = this.#roomOf(publication);
    if (room.occupied) room.behind(publication);
    else this.#send(publication, false);
  }

  /** The stream has the message. */
  stored(sending: Sending, request: Request): void {
    const { publication } = sending;
    this.#recent.add(request, publication.bytes + KEPT_BYTES);
    sending.missing -= 1;
    if (sending.missing > 0 || sending.failed) return;
    publication.confirm("stored");
    if (sending.asksForRoom) this.#roomOf(publication).answered();
  }

  /** A stream has not taken the message. */
  failed(sending: Sending, error: BrokerError): void {
    if (sending.failed) return;
    sending.failed = true;
    const { publication, asksForRoom } = sending;
    const room = this.#roomOf(publication);
    if (error.code === "ERR_BACKLOG_FULL" && this.#context.options.whenFull === "wait")
      return room.refused(publication, asksForRoom);
    publication.fail(error);
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
    for (const publication of [...this.#waiting.close(), ...this.#waitingDead.close()]) {
      const message = `The broker was closed while the message to ${publication.topic} waited for room.`;
      publication.fail(new BrokerError("ERR_BACKLOG_FULL", message, { driver: "nats", topic: publication.topic }));
    }
  }

  #send(publication: Publication, asksForRoom: boolean): void {
    const { topic, origin } = publication;
    const publishId = `${this.#session}-${(this.#counter++).toString(36)}`;
    const headers = encodeHeader(this.#client, publication, publishId);
    const dead = isDeadLetterTopic(topic);
    const payload = this.#connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const room = dead || origin !== undefined ? payload : payload - DEAD_LETTER_BYTES;
    const bytes = bytesBeyond(room, publication, headers);
    const sending: Sending = { publication, asksForRoom, missing: dead ? 2 : 1, failed: false };
    if (bytes !== undefined) {
      const message = `The message to ${topic} takes ${bytes} bytes on NATS, of ${room} that the server carries.`;
      return this.failed(sending, new BrokerError("ERR_MESSAGE_TOO_LARGE", message, { driver: "nats", topic }));
    }
    // A dead letter goes to the standing queue, and as a copy to whoever else wants it.
    if (dead) this.#requests.send(new Write(this, sending, this.#names.standing(topic), headers));
    this.#requests.send(new Write(this, sending, this.#names.topic(topic), headers));
  }

  #roomOf({ topic }: Publication): WaitingRoom {
    return isDeadLetterTopic(topic) ? this.#waitingDead : this.#waiting;
  }
}

/** A publication on its way into one stream, or two. */
interface Sending {
  readonly publication: Publication;
  /** Whether the waiting room sent it. */
  readonly asksForRoom: boolean;
  /** How many streams have not answered yet. */
  missing: number;
  failed: boolean;
}

/** The request that writes a publication into a stream. */
class Write implements Request {
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
    if (answer.error === undefined) this.#publisher.stored(this.#sending, this);
    else this.fail(publishError(answer.error, this.#sending.publication.topic));
    return true;
  }

  fail(error: BrokerError): void {
    this.#publisher.failed(this.#sending, error);
  }
}
