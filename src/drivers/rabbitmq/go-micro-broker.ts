import type { ChannelModel, ConfirmChannel } from "amqplib";
import type { Capabilities } from "../../capabilities.ts";
import type { DriverContext, DriverSubscription, Publication, SubscribeRequest } from "../../driver.ts";
import { BrokerError, describeError, wrapError } from "../../errors.ts";
import { before } from "../../internal/wait.ts";
import type { Client } from "./client.ts";
import { GoMicroSubscription } from "./go-micro-subscription.ts";
import { declareExchange, GO_MICRO_EXCHANGE } from "./go-micro-topology.ts";
import { Link } from "./link.ts";
import type { Settings } from "./options.ts";
import { Servers } from "./servers.ts";
import { Session } from "./session.ts";

/** What RabbitMQ promises as go-micro uses it: its queues are gone with their last consumer. */
export const goMicroCapabilities: Capabilities = Object.freeze({
  guarantee: "at-most-once",
  durable: false,
  processes: true,
  mandatory: false,
  standingQueues: false,
  deadLetters: false,
  deadLetterMove: "publish",
  ordered: true,
  keyAffinity: false,
  retryDelaysMs: "any",
  maxMessageBytes: null,
});

/** A connected driver with `wire: "go-micro"`, over any number of connections. */
export class GoMicroBroker {
  readonly capabilities: Capabilities = goMicroCapabilities;
  readonly queues = undefined;
  readonly deadLetters = undefined;
  readonly #addresses: string;
  readonly #context: DriverContext;
  readonly #link: Link;
  readonly #subscriptions = new Set<GoMicroSubscription>();
  #channel: ConfirmChannel | undefined;
  /** What waits for another channel: the server has ended the one of publishes, and the connection holds. */
  #held: Publication[] | undefined;

  constructor(client: Client, settings: Settings, context: DriverContext) {
    this.#addresses = settings.address;
    const servers = new Servers(settings.servers);
    this.#context = context;
    this.#link = new Link(
      {
        open: () => Session.open(client, settings, servers, context.options.connectTimeoutMs),
        restore: async (session) => {
          await declareExchange(session);
          await this.#openChannel(session);
          await Promise.all([...this.#subscriptions].map((subscription) => subscription.attach(session)));
        },
        lost: () => {
          this.#channel = undefined;
        },
        ended: () => {
          this.#channel = undefined;
        },
      },
      context,
    );
  }

  /** The server's in use, for people; of all servers while the connection is being restored. */
  get address(): string {
    return this.#link.session?.address ?? this.#addresses;
  }

  /** The client's connection. */
  get native(): ChannelModel {
    const { session } = this.#link;
    if (session !== undefined) return session.model;
    throw new BrokerError("ERR_NOT_CONNECTED", "The connection to RabbitMQ is being restored.", { driver: "rabbitmq" });
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.#link.start(signal);
  }

  publish(publication: Publication): void {
    if (this.#held === undefined) this.#send(publication);
    else this.#held.push(publication);
  }

  #send(publication: Publication): void {
    const { topic, header, body } = publication;
    const fail = (error: unknown) => {
      const message = `The message to ${topic} could not be sent`;
      publication.fail(wrapError(error, "ERR_CONNECTION_LOST", message, { driver: "rabbitmq", topic }));
    };
    try {
      if (this.#channel === undefined) throw new Error("the connection is being restored");
      const content = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
      this.#channel.publish(GO_MICRO_EXCHANGE, topic, content, { headers: { ...header } }, (error: unknown) => {
        if (error === null || error === undefined) publication.confirm("sent");
        else fail(error);
      });
    } catch (error) {
      fail(error);
    }
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const subscription = new GoMicroSubscription(request, this.#context);
    const session = await this.#link.up();
    try {
      await subscription.attach(session);
    } catch (error) {
      throw wrapError(error, "ERR_CONNECTION_LOST", `Subscribing to ${request.pattern} failed`, { driver: "rabbitmq" });
    }
    this.#subscriptions.add(subscription);
    return {
      // The queue may go with this subscription, and what is given back with the queue.
      takesBack: false,
      stop: () => subscription.stop(),
      close: async () => {
        this.#subscriptions.delete(subscription);
        await subscription.close();
      },
    };
  }

  async disconnect(deadlineAt: number): Promise<void> {
    const session = this.#link.stop();
    const { clock } = this.#context;
    const confirmed = this.#channel?.waitForConfirms().catch(() => {
      // Each publisher has been told.
    });
    if (session !== undefined && confirmed !== undefined) await before(clock, deadlineAt, confirmed);
    await session?.close(clock, deadlineAt);
  }

  async #openChannel(session: Session): Promise<void> {
    const channel = await session.confirmChannel();
    channel.once("close", () => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      // A connection that ends closes its channels first: then it is the link that restores them.
      queueMicrotask(() => {
        if (session.alive && this.#link.session === session) void this.#reopen(session);
      });
    });
    this.#channel = channel;
  }

  /** The server ended the channel, as where somebody removed the exchange: that is made again, with its bindings. */
  async #reopen(session: Session): Promise<void> {
    this.#held = [];
    try {
      await declareExchange(session);
      await Promise.all([...this.#subscriptions].map((subscription) => subscription.bind()));
      await this.#openChannel(session);
    } catch (error) {
      this.#context.logger.debug(
        { reason: describeError(error) },
        "No channel can be opened: the connection is given up",
      );
      // The next connection begins anew, with its pauses.
      session.destroy();
    } finally {
      const held = this.#held;
      this.#held = undefined;
      for (const publication of held) this.#send(publication);
    }
  }
}
