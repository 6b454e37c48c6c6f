import type { Socket } from "node:net";
import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { before } from "../../internal/wait.ts";
import { classifyConnect, classifyOperation } from "./classify.ts";
import type { Client } from "./client.ts";
import type { Settings } from "./options.ts";

/** The oldest server with what the driver needs: time to live, and dead-lettering with confirms, on quorum queues. */
const OLDEST = [3, 10] as const;

/** One try to connect may take this long, in milliseconds. */
const OPEN_TIMEOUT_MS = 10_000;

/** How much longer than its deadline a connection may take to close in good order, in milliseconds. */
const CLOSE_GRACE_MS = 1_000;

/** How much is handed to the socket before the client waits for it to drain, in bytes: what {@link Session.gather} gathers at most. */
const WRITE_BYTES = 256 * 1024;

/** One connection, from its opening to its end. What is lost with it is restored on the next one. */
export class Session {
  readonly model: ChannelModel;
  /** The server's version. */
  readonly version: string;
  /** Resolves with why, when the connection has ended, for whatever reason. */
  readonly ended: Promise<Error | undefined>;
  #alive = true;
  #blocked = false;
  #gathering = false;
  /** Somebody has written since the gathering began. */
  #wanted = false;

  private constructor(model: ChannelModel) {
    this.model = model;
    this.version = String((model.connection.serverProperties as { version?: unknown }).version ?? "");
    let cause: Error | undefined;
    model.on("error", (error) => {
      cause = error;
    });
    model.on("blocked", () => {
      this.#blocked = true;
    });
    model.on("unblocked", () => {
      this.#blocked = false;
    });
    this.ended = new Promise((resolve) => {
      model.once("close", (error) => {
        this.#alive = false;
        resolve(error ?? cause);
      });
    });
  }

  /**
   * Connects once.
   * @param withinMs how long that may take, in milliseconds; at most 10,000, since another try may be luckier
   * @throws BrokerError `ERR_CONNECT_FAILED`, `ERR_AUTHENTICATION`, `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
   */
  static async open(client: Client, settings: Settings, withinMs: number): Promise<Session> {
    let model: ChannelModel;
    try {
      model = await client.connect(
        {
          protocol: settings.secure ? "amqps" : "amqp",
          hostname: settings.host,
          port: settings.port,
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
          timeout: Math.min(OPEN_TIMEOUT_MS, withinMs),
          highWaterMark: WRITE_BYTES,
          clientProperties: { product: "tidings", connection_name: `tidings ${process.pid}` },
        },
      );
    } catch (error) {
      throw classifyConnect(error, settings.address);
    }
    const session = new Session(model);
    const [major = 0, minor = 0] = session.version.split(".").map(Number);
    if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return session;
    session.destroy();
    throw new BrokerError(
      "ERR_UNSUPPORTED",
      `RabbitMQ at ${settings.address} is version ${session.version}; the driver needs ${OLDEST.join(".")} or newer.`,
      { driver: "rabbitmq" },
    );
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Whether the server, short of memory or disk, takes no publishes for now. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /**
   * Lets what is written from now on, until the event loop has come round, go out in one write: the client writes each message
   * and each ack by itself, and the system calls would cost more than all the rest.
   */
  gather(): void {
    this.#wanted = true;
    if (!this.#gathering && this.#alive) this.#gather();
  }

  #gather(): void {
    const socket = this.#socket;
    this.#wanted = false;
    this.#gathering = true;
    socket.cork();
    // The client hands its frames to the socket in a later phase of the round in which they are written.
    setImmediate(() =>
      setImmediate(() => {
        socket.uncork();
        this.#gathering = false;
        if (this.#wanted) this.gather();
      }),
    );
  }

  /** A channel; its owner watches its end. */
  async channel(): Promise<Channel> {
    return this.#opened(await this.#open(() => this.model.createChannel()));
  }

  /** A channel whose publishes are confirmed. */
  async confirmChannel(): Promise<ConfirmChannel> {
    return this.#opened(await this.#open(() => this.model.createConfirmChannel()));
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
    if (!this.#alive) return;
    // Its answer does not come where the connection ends by itself meanwhile, which is what was wanted.
    this.model.close().catch(() => {});
    if (!(await before(clock, Math.max(deadlineAt, clock.now() + CLOSE_GRACE_MS), this.ended))) this.destroy();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy(new Error("the connection was given up"));
  }

  get #socket(): Socket {
    return (this.model.connection as unknown as { stream: Socket }).stream;
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
