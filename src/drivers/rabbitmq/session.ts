import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { before } from "../../internal/wait.ts";
import { classifyConnect, classifyOperation } from "./classify.ts";
import type { Client } from "./client.ts";
import { Line } from "./line.ts";
import type { Settings } from "./options.ts";
import type { Server, Servers } from "./servers.ts";

/** The oldest server with what the driver needs: time to live, and dead-lettering with confirms, on quorum queues. */
const OLDEST = [3, 10] as const;

/** How many channels subscriptions leave for everything else: declaring, counting, dead letters. */
const SPARE_CHANNELS = 32;

/** One try to connect may take this long, in milliseconds. */
const OPEN_TIMEOUT_MS = 10_000;

/** How much longer than its deadline a connection may take to close in good order, in milliseconds. */
const CLOSE_GRACE_MS = 1_000;

/** How much is handed to the socket before the client waits for it to drain, in bytes: what a {@link Line} gathers at most. */
const WRITE_BYTES = 256 * 1024;

/**
 * The connections to the server, from their opening to their end: one for publishes, and one for everything else. A server that is
 * short of memory or disk reads nothing more from whoever publishes: acks, which give it room again, go their own way. Where one of
 * the two ends the other does, and what is lost with them is restored on the next ones.
 */
export class Session {
  /** The connection of everything but publishes. */
  readonly model: ChannelModel;
  /** Its server's, for people. */
  readonly address: string;
  /** The server's version. */
  readonly version: string;
  /** Resolves with why, when a connection has ended, for whatever reason. */
  readonly ended: Promise<Error | undefined>;
  readonly #main: Line;
  readonly #publishing: Line;
  #blocked = false;
  /** How many channels are open, but for that of the publishes. */
  #channels = 0;
  #closing = false;

  private constructor(main: ChannelModel, publishing: ChannelModel, address: string) {
    this.model = main;
    this.address = address;
    this.version = String((main.connection.serverProperties as { version?: unknown }).version ?? "");
    this.#main = new Line(main);
    this.#publishing = new Line(publishing);
    this.ended = Promise.race([this.#main.ended, this.#publishing.ended]);
    void this.ended.then(() => {
      if (!this.#closing) this.destroy();
    });
  }

  /**
   * Connects to the first server that lets it in, each tried once.
   * @param withinMs how long that may take, in milliseconds; at most 10,000 for each server, since another try may be luckier
   * @throws BrokerError `ERR_CONNECT_FAILED`, `ERR_AUTHENTICATION`, `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
   */
  static open(client: Client, settings: Settings, servers: Servers, withinMs: number): Promise<Session> {
    // A server that does not answer at all leaves time for the others.
    const timeoutMs = Math.min(OPEN_TIMEOUT_MS, Math.ceil(withinMs / servers.size));
    return servers.open((server) => Session.#openAt(client, settings, server, timeoutMs));
  }

  static async #openAt(client: Client, settings: Settings, server: Server, timeoutMs: number): Promise<Session> {
    const { address } = server;
    const opening = ["", " publisher"].map((suffix) => connect(client, settings, server, timeoutMs, suffix));
    let session: Session;
    try {
      const [main, publishing] = (await Promise.all(opening)) as [ChannelModel, ChannelModel];
      session = new Session(main, publishing, address);
    } catch (error) {
      // One without the other is of no use.
      for (const one of opening)
        one.then(
          (model) => new Line(model).destroy(),
          () => {
            // The caller has the error of the first.
          },
        );
      throw classifyConnect(error, address);
    }
    const [major = 0, minor = 0] = session.version.split(".").map(Number);
    if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return session;
    session.destroy();
    throw new BrokerError(
      "ERR_UNSUPPORTED",
      `RabbitMQ at ${address} is version ${session.version}; the driver needs ${OLDEST.join(".")} or newer.`,
      { driver: "rabbitmq" },
    );
  }

  get alive(): boolean {
    return this.#main.alive && this.#publishing.alive;
  }

  /** Whether the server, short of memory or disk, takes no publishes for now. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Calls `listener` when the server takes no publishes from now on, with its reason, and when it takes them again, without. */
  onBlocked(listener: (reason: string | undefined) => void): void {
    const told = (reason: string | undefined) => {
      this.#blocked = reason !== undefined;
      listener(reason);
    };
    this.#publishing.model.on("blocked", told);
    this.#publishing.model.on("unblocked", () => told(undefined));
  }

  /** Lets the publishes of this round of the event loop go out in one write. */
  gather(): void {
    this.#publishing.gather();
  }

  /** Lets the acks of this round of the event loop go out in one write. */
  gatherAcks(): void {
    this.#main.gather();
  }

  /** A channel; its owner watches its end. */
  async channel(): Promise<Channel> {
    this.#channels += 1;
    const closed = () => {
      this.#channels -= 1;
    };
    try {
      const channel = this.#opened(await this.#open(() => this.model.createChannel()));
      channel.once("close", closed);
      return channel;
    } catch (error) {
      closed();
      throw error;
    }
  }

  /**
   * As {@link channel}, for as long as a subscription lives. Some are left for what else there is to do.
   * @throws BrokerError `ERR_DRIVER` where the server gives no more of them
   */
  async lastingChannel(): Promise<Channel> {
    const { channelMax } = this.model.connection as unknown as { channelMax: number };
    if (this.#channels < channelMax - SPARE_CHANNELS) return this.channel();
    const message = `RabbitMQ gives a connection ${channelMax} channels, and subscriptions have all but ${SPARE_CHANNELS} of them: more need another broker.`;
    throw new BrokerError("ERR_DRIVER", message, { driver: "rabbitmq" });
  }

  /** A channel for publishes, which are confirmed. */
  async confirmChannel(): Promise<ConfirmChannel> {
    return this.#opened(await this.#open(() => this.#publishing.model.createConfirmChannel()));
  }

  /**
   * Does something on a channel of its own: an error closes the channel it happened on, and must hit nobody else.
   * @param what for messages: what is being set up.
   * @throws BrokerError
   */
  async use<T>(what: string, work: (channel: Channel) => Promise<T>): Promise<T> {
    try {
      return await this.attempt(work);
    } catch (error) {
      throw classifyOperation(error, what);
    }
  }

  /** As {@link use}, with the native error. */
  async attempt<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.channel();
    let cause: Error | undefined;
    channel.once("error", (error) => {
      cause = error;
    });
    try {
      return await work(channel);
    } catch (error) {
      // Of several calls under way one gets the server's reason, and the others only that the channel ended.
      throw cause ?? error;
    } finally {
      await closeChannel(channel);
    }
  }

  /** Closes in good order; by force where that takes until the deadline (milliseconds since the epoch) and a second from now. */
  async close(clock: Clock, deadlineAt: number): Promise<void> {
    if (!this.alive) return;
    this.#closing = true;
    const lines = [this.#main, this.#publishing];
    for (const line of lines) line.close();
    if (
      !(await before(
        clock,
        Math.max(deadlineAt, clock.now() + CLOSE_GRACE_MS),
        Promise.all(lines.map(({ ended }) => ended)),
      ))
    )
      this.destroy();
  }

  /** Ends both connections at once. */
  destroy(): void {
    for (const line of [this.#main, this.#publishing]) line.destroy();
  }

  async #open<C>(create: () => Promise<C>): Promise<C> {
    try {
      return await create();
    } catch (error) {
      throw classifyOperation(error, "a channel");
    }
  }

  #opened<C extends Channel>(channel: C): C {
    // Whoever waits for an answer on the channel gets the error; without a listener it would end the process.
    channel.on("error", () => {});
    return channel;
  }
}

/** Closes a channel; one that has ended already is closed. */
export async function closeChannel(channel: Channel): Promise<void> {
  let ended = (): void => {};
  // Where the connection dies first, the client never answers the call.
  const closed = new Promise<void>((resolve) => {
    ended = resolve;
    channel.once("close", ended);
  });
  try {
    await Promise.race([channel.close(), closed]);
  } catch {
    // It ended with an error, which its user has got, or with its connection.
  } finally {
    channel.off("close", ended);
  }
}

function connect(
  client: Client,
  settings: Settings,
  { host, port }: Server,
  timeoutMs: number,
  suffix: string,
): Promise<ChannelModel> {
  return client.connect(
    {
      protocol: settings.secure ? "amqps" : "amqp",
      hostname: host,
      port,
      username: settings.username,
      password: settings.password,
      // The client decodes it once more.
      vhost: encodeURIComponent(settings.vhost),
      heartbeat: settings.heartbeatMs / 1_000,
    },
    {
      ...(settings.secure ? settings.tls : {}),
      noDelay: true,
      keepAlive: true,
      timeout: timeoutMs,
      highWaterMark: WRITE_BYTES,
      clientProperties: { product: "tidings", connection_name: `tidings ${process.pid}${suffix}` },
    },
  );
}
