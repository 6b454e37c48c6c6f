import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Capabilities } from "../../capabilities.ts";
import type {
  Driver,
  DriverContext,
  DriverSubscription,
  Publication,
  ServerInfo,
  SubscribeRequest,
} from "../../driver.ts";
import { BrokerError, wrapError } from "../../errors.ts";
import { abortable, before } from "../../internal/wait.ts";
import { natsCoreCapabilities } from "./capabilities.ts";
import { connected } from "./connected.ts";
import { CoreSubscription } from "./core-subscription.ts";
import { type CoreWire, tidingsCoreWire } from "./core-wire.ts";
import { flushed } from "./flushed.ts";
import { goMicroCoreWire } from "./go-micro-core-wire.ts";
import { Link } from "./link.ts";
import { NATIVE_BYTES } from "./native-header.ts";
import { type NatsCoreOptions, resolveNatsOptions } from "./options.ts";
import { Names } from "./subjects.ts";

/** What one PING follows. */
interface Sent {
  publications: readonly Publication[];
}

interface Session {
  readonly connection: NatsConnection;
  readonly link: Link;
  readonly wire: CoreWire;
  readonly context: DriverContext;
  /** What was sent, by the PING that follows it: the client forgets PINGs of a connection that it closes. */
  readonly unanswered: Set<Sent>;
  readonly ended: AbortController;
}

/** The driver of `nats+core://`. */
export class NatsCoreDriver implements Driver<NatsConnection> {
  readonly name = "nats+core";
  readonly #options: NatsCoreOptions;
  #capabilities: Capabilities = natsCoreCapabilities;
  #session: Session | undefined;
  #flushing: Promise<unknown> = Promise.resolve();

  constructor(options: NatsCoreOptions) {
    this.#options = options;
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  get address(): string {
    return this.#session === undefined ? "" : `nats+core://${this.#session.connection.getServer()}`;
  }

  get native(): NatsConnection {
    return this.#open().connection;
  }

  get server(): ServerInfo | undefined {
    const { info } = this.#open().connection;
    return info === undefined ? undefined : { name: "nats-server", version: info.version };
  }

  async connect(context: DriverContext, signal: AbortSignal): Promise<void> {
    const options = resolveNatsOptions(this.#options, context.options, true);
    const names = new Names(options.prefix);
    const ended = new AbortController();
    this.#session = await connected(options, context, signal, async (_client, connection) => {
      // The client itself puts subscriptions back on a restored connection.
      const link = new Link(connection, context, {
        down: () => {},
        restore: () => connection.flush(),
        refused: (subject, error) => refuse(session, subject, error),
        closed: () => end(session, "restoring the connection was given up"),
      });
      const goMicro = context.options.wire === "go-micro";
      const wire = goMicro ? goMicroCoreWire : tidingsCoreWire(names);
      const session: Session = { connection, link, wire, context, unanswered: new Set(), ended };
      return session;
    });
    const payload = this.#session.connection.info?.max_payload;
    if (payload !== undefined)
      this.#capabilities = Object.freeze({ ...natsCoreCapabilities, maxMessageBytes: payload - NATIVE_BYTES });
  }

  publish(publications: readonly Publication[]): void {
    const { connection, wire, unanswered } = this.#open();
    const room = connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    const written = publications.filter((publication) => {
      const { topic } = publication;
      try {
        const { payload: data, headers, bytesBeyond: bytes } = wire.encode(publication, room);
        if (bytes !== undefined)
          throw new BrokerError(
            "ERR_MESSAGE_TOO_LARGE",
            `The message to ${topic} takes ${bytes} bytes on NATS, of ${room} that the server carries.`,
            { topic },
          );
        connection.publish(wire.subject(topic, false), data, headers === undefined ? {} : { headers });
        return true;
      } catch (error) {
        publication.fail(
          wrapError(error, "ERR_CONNECTION_LOST", `The message to ${topic} could not be sent`, {
            driver: this.name,
            topic,
          }),
        );
        return false;
      }
    });
    const sent: Sent = { publications: written };
    unanswered.add(sent);
    this.#flushing = flushed(connection).then(
      () => {
        if (!unanswered.delete(sent)) return;
        for (const publication of sent.publications) {
          publication.confirm("sent");
          // What stands before a PING has left the process when its PONG comes.
          publication.giveBackBody?.();
        }
      },
      (error: unknown) => {
        if (unanswered.delete(sent)) failAll(sent.publications, error);
      },
    );
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const { connection, wire, context, ended } = this.#open();
    const { pattern, queue } = request;
    const taker = new CoreSubscription(request, wire, context);
    let subscribed = false;
    let refusal: BrokerError | undefined;
    const subscription = connection.subscribe(wire.subject(pattern, true), {
      ...(queue === undefined ? {} : { queue: wire.group(pattern, queue) }),
      callback: (error: Error | null, message: Msg) => {
        if (error === null) return taker.take(message);
        const what = `The NATS server refuses the subscription to ${pattern}`;
        refusal = wrapError(error, "ERR_AUTHENTICATION", what, { driver: this.name, topic: pattern });
        if (subscribed) request.onEnd(refusal);
      },
    });
    try {
      // Many may subscribe at once: each listens to a signal of its own.
      await abortable(connection.flush(), AbortSignal.any([ended.signal]));
    } catch (error) {
      if (!subscription.isClosed()) subscription.unsubscribe();
      throw new BrokerError(
        "ERR_CONNECTION_LOST",
        `The connection broke before the server knew of the subscription to ${pattern}.`,
        {
          driver: this.name,
          topic: pattern,
          cause: error,
        },
      );
    }
    // The server says so before it answers the PING.
    if (refusal !== undefined) throw refusal;
    subscribed = true;
    return {
      takesBack: false,
      stop: async () => {
        if (!subscription.isClosed() && !connection.isClosed()) await subscription.drain();
        await taker.emptied();
      },
      close: async () => taker.stop(),
    };
  }

  async disconnect(deadlineAt: number): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    const { link, connection, context } = session;
    if (link.connected) await before(context.clock, deadlineAt, this.#flushing);
    link.end();
    end(session, "the broker was disconnected");
    if (this.#options.connection === undefined) await connection.close();
  }

  #open(): Session {
    if (this.#session === undefined) throw new BrokerError("ERR_NOT_CONNECTED", "The NATS broker is not connected.");
    return this.#session;
  }
}

/** Nothing will be answered any more. */
function end({ unanswered, ended }: Session, reason: string): void {
  ended.abort(new Error(reason));
  const left = [...unanswered];
  unanswered.clear();
  for (const { publications } of left) failAll(publications, ended.signal.reason);
}

/** The server refuses a subject to the user: it has dropped what was sent to it. */
function refuse({ unanswered, wire }: Session, refused: string, error: BrokerError): void {
  for (const sent of unanswered) {
    const isRefused = ({ topic }: Publication): boolean => wire.subject(topic, false) === refused;
    const dropped = sent.publications.filter(isRefused);
    if (dropped.length === 0) continue;
    sent.publications = sent.publications.filter((publication) => !isRefused(publication));
    for (const publication of dropped) publication.fail(error);
  }
}

function failAll(publications: readonly Publication[], error: unknown): void {
  const message = "The connection broke before the server had the message";
  for (const publication of publications)
    publication.fail(
      wrapError(error, "ERR_CONNECTION_LOST", message, { driver: "nats+core", topic: publication.topic }),
    );
}
