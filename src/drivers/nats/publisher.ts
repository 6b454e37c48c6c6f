import type { NatsConnection } from "@nats-io/transport-node";
import type { DriverContext, Publication } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import type { Timer } from "../../internal/clock.ts";
import { isDeadLetterTopic } from "../../topics.ts";
import type { NatsClient } from "./client.ts";
import { type ApiError, publishError } from "./jetstream.ts";
import { encodeHeader, nativeBytes } from "./native-header.ts";
import { Recent } from "./recent.ts";
import type { Request, Requests } from "./requests.ts";
import type { Names } from "./subjects.ts";

/** What of the server's `max_payload` is kept for what a dead letter says beyond its message, in bytes. */
export const DEAD_LETTER_BYTES: number = 16 * 1024;

/** How often a publish that waits for room asks again, in milliseconds. */
const ROOM_AGAIN_MS = 250;

/** Publishes into the streams: each publish under an id of its own, by which JetStream knows its retries. */
export class Publisher {
  readonly #client: NatsClient;
  readonly #connection: NatsConnection;
  readonly #requests: Requests;
  readonly #names: Names;
  readonly #context: DriverContext;
  readonly #session: string;
  readonly #recent: Recent;
  readonly #waiting = new Map<Timer, Publication>();
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
  }

  publish(publication: Publication): void {
    const { topic, body } = publication;
    const publishId = `${this.#session}-${(this.#counter++).toString(36)}`;
    const headers = encodeHeader(this.#client, publication, publishId);
    const room = this.#connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const kept = isDeadLetterTopic(topic) || publication.origin !== undefined ? 0 : DEAD_LETTER_BYTES;
    const bytes = nativeBytes(headers) + body.byteLength;
    if (bytes > room - kept) {
      const message = `The message to ${topic} takes ${bytes} bytes on NATS, of ${room - kept} that the server carries.`;
      publication.fail(new BrokerError("ERR_MESSAGE_TOO_LARGE", message, { driver: "nats", topic }));
      return;
    }
    // A dead letter goes to the standing queue, and as a copy to whoever else wants it.
    const subjects = isDeadLetterTopic(topic)
      ? [this.#names.standing(topic), this.#names.topic(topic)]
      : [this.#names.topic(topic)];
    let missing = subjects.length;
    let failed = false;
    const fail = (error: BrokerError): void => {
      if (failed) return;
      failed = true;
      if (error.code === "ERR_BACKLOG_FULL" && this.#context.options.whenFull === "wait") this.#wait(publication);
      else publication.fail(error);
    };
    for (const subject of subjects) {
      const request: Request = {
        subject,
        payload: body,
        headers,
        answer: (message) => {
          const { error } = message.json<{ error?: ApiError }>();
          if (error !== undefined) return fail(publishError(error, topic));
          this.#recent.add(request, bytes);
          missing -= 1;
          if (missing === 0) publication.confirm("stored");
        },
        fail,
      };
      this.#requests.send(request);
    }
  }

  /** The connection is lost, maybe to a server that is going down. */
  down(): void {
    this.#recent.freeze();
  }

  /** What was confirmed just before the connection was lost, to be sent again under the same ids. */
  doubtful(): Request[] {
    return this.#recent.take().map((request) => ({
      ...request,
      answer: (message) => {
        const { error } = message.json<{ error?: ApiError }>();
        if (error !== undefined) this.#context.onError(publishError(error));
      },
      fail: (error) => this.#context.onError(error),
    }));
  }

  /** Fails what waits for room. */
  close(): void {
    for (const [timer, publication] of this.#waiting) {
      timer.cancel();
      const message = `The broker was disconnected while the message to ${publication.topic} waited for room.`;
      publication.fail(new BrokerError("ERR_BACKLOG_FULL", message, { driver: "nats", topic: publication.topic }));
    }
    this.#waiting.clear();
  }

  #wait(publication: Publication): void {
    const timer = this.#context.clock.after(ROOM_AGAIN_MS, () => {
      this.#waiting.delete(timer);
      this.publish(publication);
    });
    this.#waiting.set(timer, publication);
  }
}
