/**
 * The memory driver: messages within one process.
 *
 * - **Mapping.** A topic is a name in the hub's index; a queue and a broadcast subscription are lanes of one outbox.
 * - **Delivery semantics.** At least once, every promise but durability; the hub ends with the last broker that uses it.
 * - **Capabilities.** `memoryCapabilities` below; the reference implementation of all but `durable` and `processes`.
 * - **URL.** `memory:` or `memory:<name>`: brokers of one process with the same URL share a hub. `memory()` is private.
 * - **Escape hatch.** `broker.native` is `undefined`: there is nothing underneath.
 */
import type { BrokerOptions } from "../../broker-options.ts";
import type { Capabilities } from "../../capabilities.ts";
import type {
  DeadLetterAdmin,
  Driver,
  DriverContext,
  DriverSubscription,
  Publication,
  QueueAdmin,
  SubscribeRequest,
} from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { leftBehind } from "../../outbox/left-behind.ts";
import { type Hub, leaveHub, openHub } from "./hub.ts";

/** What the memory driver promises. */
export const memoryCapabilities: Capabilities = Object.freeze({
  guarantee: "at-least-once",
  durable: false,
  processes: false,
  mandatory: true,
  standingQueues: true,
  deadLetters: true,
  deadLetterMove: "move",
  ordered: true,
  keyAffinity: false,
  retryDelaysMs: "any",
  maxMessageBytes: null,
});

/** Options of {@link memory}. */
export interface MemoryOptions {
  /** Brokers of this process with the same name share messages. Default: private. */
  name?: string;
}

/** A driver that keeps messages within the process. */
export function memory(options: MemoryOptions = {}): Driver<undefined> {
  return new MemoryDriver(options.name);
}

/** Opens `memory:` or `memory:<name>`. */
export function open(url: string, _options: BrokerOptions): Driver {
  return new MemoryDriver(url.replace(/^memory:(\/\/)?/, ""));
}

class MemoryDriver implements Driver<undefined> {
  readonly name = "memory";
  readonly capabilities = memoryCapabilities;
  readonly native = undefined;
  readonly #hubName: string | undefined;
  #hub: Hub | undefined;
  #acceptTimeoutMs = 0;
  #abandoned = 0;

  constructor(hubName: string | undefined) {
    this.#hubName = hubName;
  }

  get address(): string {
    return this.#hub === undefined ? "" : `memory:${this.#hubName ?? ""}`;
  }

  get queues(): QueueAdmin {
    return this.#connected().queues;
  }

  get deadLetters(): DeadLetterAdmin {
    return this.#connected().deadLetters;
  }

  async connect(context: DriverContext): Promise<void> {
    refuseHttpOptions(context.options);
    this.#acceptTimeoutMs = context.options.acceptTimeoutMs;
    this.#abandoned = 0;
    this.#hub = openHub(this.#hubName, this, context);
  }

  publish(publications: readonly Publication[]): void {
    this.#connected().outbox.publish(publications, this.#acceptTimeoutMs, this);
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    return this.#connected().subscribe(request, this, (count) => {
      this.#abandoned += count;
    });
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#connected().settled(signal);
  }

  async disconnect(): Promise<void> {
    const hub = this.#hub;
    if (hub === undefined) return;
    this.#hub = undefined;
    const lost = this.#abandoned + leaveHub(hub, this);
    if (lost === 0) return;
    const where = leftBehind(hub.outbox);
    throw new BrokerError(
      "ERR_UNDELIVERED",
      `${lost} message(s) were given up${where}: nobody was left to take them.`,
      {
        driver: this.name,
        count: lost,
      },
    );
  }

  #connected(): Hub {
    if (this.#hub === undefined) throw new BrokerError("ERR_NOT_CONNECTED", "The memory broker is not connected.");
    return this.#hub;
  }
}

/** What only another broker can keep is refused here: an option is never a silent no-op. */
function refuseHttpOptions(options: BrokerOptions): void {
  const asked = [
    options.storage !== undefined && "storage",
    options.secret !== undefined && "secret",
    options.tls !== undefined && "tls",
    options.secure === true && "secure",
    options.wire === "go-micro" && 'wire "go-micro"',
  ].filter((name) => name !== false);
  if (asked.length === 0) return;
  const message = `The memory broker stays within the process and keeps nothing: it has no ${asked.join(", ")}.`;
  throw new BrokerError("ERR_UNSUPPORTED", message, { driver: "memory" });
}
