import type { NatsConnection } from "@nats-io/transport-node";
import type { Capabilities } from "../../capabilities.ts";
import type {
  DeadLetterAdmin,
  Driver,
  DriverContext,
  DriverSubscription,
  Publication,
  QueueAdmin,
  ServerInfo,
  SubscribeRequest,
} from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { abortable } from "../../internal/wait.ts";
import { natsCapabilities } from "./capabilities.ts";
import { connected } from "./connected.ts";
import { NATIVE_BYTES } from "./native-header.ts";
import { type NatsOptions, resolveNatsOptions } from "./options.ts";
import { DEAD_LETTER_BYTES } from "./publisher.ts";
import { NatsSession } from "./session.ts";

/** The driver of `nats://`. */
export class NatsDriver implements Driver<NatsConnection> {
  readonly name = "nats";
  readonly #options: NatsOptions;
  #capabilities: Capabilities = natsCapabilities;
  #session: NatsSession | undefined;

  constructor(options: NatsOptions) {
    this.#options = options;
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  get address(): string {
    return this.#session === undefined ? "" : `nats://${this.#session.connection.getServer()}`;
  }

  get native(): NatsConnection {
    return this.#open().connection;
  }

  get server(): ServerInfo | undefined {
    const { info } = this.#open().connection;
    return info === undefined ? undefined : { name: "nats-server", version: info.version };
  }

  get queues(): QueueAdmin {
    return this.#open().queues;
  }

  get deadLetters(): DeadLetterAdmin {
    return this.#open().deadLetters;
  }

  async connect(context: DriverContext, signal: AbortSignal): Promise<void> {
    const options = resolveNatsOptions(this.#options, context.options, false);
    this.#session = await connected(options, context, signal, async (client, connection) => {
      const session = new NatsSession(client, connection, options, context);
      try {
        // A connection that was given goes on when connecting is given up: nothing of this one may.
        await abortable(session.open(), signal);
        return session;
      } catch (error) {
        await session.close(0, false);
        throw error;
      }
    });
    const payload = this.#session.connection.info?.max_payload;
    if (payload !== undefined)
      this.#capabilities = Object.freeze({
        ...natsCapabilities,
        maxMessageBytes: payload - DEAD_LETTER_BYTES - NATIVE_BYTES,
      });
  }

  publish(publications: readonly Publication[]): void {
    this.#open().publish(publications);
  }

  subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    return this.#open().subscribe(request);
  }

  async disconnect(deadlineAt: number): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close(deadlineAt, this.#options.connection === undefined);
  }

  #open(): NatsSession {
    if (this.#session === undefined) throw new BrokerError("ERR_NOT_CONNECTED", "The NATS broker is not connected.");
    return this.#session;
  }
}
