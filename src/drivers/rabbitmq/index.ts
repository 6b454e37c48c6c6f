/**
 * The RabbitMQ driver, on the optional peer `amqplib`.
 *
 * - **Mapping.** Topics are routing keys of a durable topic exchange, a queue name is a durable quorum queue, a broadcast
 *   subscription a durable queue that expires, a retry climbs a ladder of queues with fixed delays, and each dead-letter topic
 *   has a standing quorum queue.
 * - **Delivery semantics.** At least once: persistent messages, publisher confirms, acks after the handler. What no queue
 *   takes comes back and is `unrouted`.
 * - **Capabilities.** `rabbitmqCapabilities` below.
 * - **URL.** `amqp://user:password@host:port/vhost`, or `amqps://`, with a comma between several hosts. Options: {@link RabbitmqOptions}.
 * - **Escape hatch.** `broker.native` is amqplib's `ChannelModel`, the connection in use.
 */
import type { ChannelModel } from "amqplib";
import type { BrokerOptions } from "../../broker-options.ts";
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
import { RabbitmqBroker } from "./broker.ts";
import { loadClient } from "./client.ts";
import { GoMicroBroker, goMicroCapabilities } from "./go-micro-broker.ts";
import { LADDER_MS } from "./ladder.ts";
import { checkRabbitmqOptions, type RabbitmqOptions, settingsOf } from "./options.ts";

export type { RabbitmqOptions } from "./options.ts";

/** What the RabbitMQ driver promises. */
export const rabbitmqCapabilities: Capabilities = Object.freeze({
  guarantee: "at-least-once",
  durable: true,
  processes: true,
  mandatory: true,
  standingQueues: true,
  deadLetters: true,
  deadLetterMove: "publish",
  ordered: true,
  keyAffinity: false,
  retryDelaysMs: LADDER_MS,
  maxMessageBytes: null,
});

/** A driver for RabbitMQ 3.10 and newer. Needs the package `amqplib`. */
export function rabbitmq(options: RabbitmqOptions = {}): Driver<ChannelModel> {
  checkRabbitmqOptions(options);
  return new RabbitmqDriver(options);
}

/** Opens `amqp://user:password@host:port,host:port/vhost` or `amqps://`. */
export function open(url: string, _options: BrokerOptions): Driver {
  return rabbitmq({ url });
}

class RabbitmqDriver implements Driver<ChannelModel> {
  readonly name = "rabbitmq";
  readonly #options: RabbitmqOptions;
  #broker: RabbitmqBroker | GoMicroBroker | undefined;

  constructor(options: RabbitmqOptions) {
    this.#options = options;
  }

  get capabilities(): Capabilities {
    return this.#broker instanceof GoMicroBroker ? goMicroCapabilities : rabbitmqCapabilities;
  }

  get address(): string {
    return this.#broker?.address ?? "";
  }

  get native(): ChannelModel {
    return this.#connected().native;
  }

  get server(): ServerInfo | undefined {
    const { product = "RabbitMQ", version } = this.native.connection.serverProperties as Readonly<
      Record<string, unknown>
    >;
    return typeof version === "string" ? { name: String(product), version } : undefined;
  }

  get queues(): QueueAdmin {
    return this.#connected().queues ?? kept("queues");
  }

  get deadLetters(): DeadLetterAdmin {
    return this.#connected().deadLetters ?? kept("dead letters");
  }

  async connect(context: DriverContext, signal: AbortSignal): Promise<void> {
    const settings = settingsOf(this.#options, context.options);
    const Kind = context.options.wire === "go-micro" ? GoMicroBroker : RabbitmqBroker;
    const broker = new Kind(await loadClient(), settings, context);
    await broker.connect(signal);
    this.#broker = broker;
  }

  publish(publications: readonly Publication[]): void {
    const broker = this.#connected();
    for (const publication of publications) broker.publish(publication);
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    return this.#connected().subscribe(request);
  }

  async disconnect(deadlineAt: number): Promise<void> {
    const broker = this.#broker;
    this.#broker = undefined;
    await broker?.disconnect(deadlineAt);
  }

  #connected(): RabbitmqBroker | GoMicroBroker {
    if (this.#broker === undefined)
      throw new BrokerError("ERR_NOT_CONNECTED", "The RabbitMQ broker is not connected.", { driver: this.name });
    return this.#broker;
  }
}

function kept(what: string): never {
  throw new BrokerError("ERR_UNSUPPORTED", `RabbitMQ keeps no ${what} with wire "go-micro".`, { driver: "rabbitmq" });
}
