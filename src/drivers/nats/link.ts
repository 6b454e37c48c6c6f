import type { NatsConnection } from "@nats-io/transport-node";
import type { DriverContext } from "../../driver.ts";
import { BrokerError, describeError, wrapError } from "../../errors.ts";
import { delay } from "../../internal/wait.ts";
import { connectError } from "./client.ts";

/** What a {@link Link} asks of the driver behind it. */
export interface LinkHooks {
  /** The connection is lost. */
  down(): void;
  /** The connection is back: put everything back on it. Called again after it failed. */
  restore(): Promise<void>;
  /** The server lets the user publish nothing to a subject. */
  refused(subject: string, error: BrokerError): void;
  /** Restoring was given up: nothing will be answered any more. */
  closed(): void;
}

/** Tells the portable layer what becomes of the connection, and the driver when to put everything back on it. */
export class Link {
  readonly connection: NatsConnection;
  /** The server's host and port, at first. */
  readonly address: string;
  readonly #context: DriverContext;
  readonly #hooks: LinkHooks;
  readonly #ended = new AbortController();
  /** What the client tells of the connection. It goes on until it is stopped, which the client's types do not show. */
  readonly #statuses: ReturnType<NatsConnection["status"]> & { stop?(): void };
  /** Counts lost connections: what belongs to an earlier one is over. */
  #epoch = 0;
  #up = true;
  #connected = true;

  constructor(connection: NatsConnection, context: DriverContext, hooks: LinkHooks) {
    this.connection = connection;
    this.address = connection.getServer();
    this.#context = context;
    this.#hooks = hooks;
    this.#statuses = connection.status();
    void this.#watch();
    void connection.closed().then((error) => this.#closed(error));
  }

  /** Whether the server can be reached; what was on the connection may not be restored yet. */
  get connected(): boolean {
    return this.#connected && !this.connection.isClosed() && !this.connection.isDraining();
  }

  /** From here on the end of the connection is wanted. */
  end(): void {
    this.#ended.abort(new BrokerError("ERR_NOT_CONNECTED", "The NATS broker was disconnected."));
    // A connection that was given to the broker outlives it.
    this.#statuses.stop?.();
  }

  async #watch(): Promise<void> {
    for await (const status of this.#statuses) {
      if (this.#ended.signal.aborted) return;
      if (status.type === "disconnect") this.#down(status.server);
      else if (status.type === "reconnect") void this.#restore();
      else if (status.type === "error") this.#error(status.error);
    }
  }

  #down(server: string): void {
    this.#epoch += 1;
    this.#connected = false;
    this.#hooks.down();
    if (!this.#up) return;
    this.#up = false;
    const message = `The connection to the NATS server at ${server} is lost.`;
    this.#context.onDown(new BrokerError("ERR_CONNECTION_LOST", message, { driver: "nats" }));
  }

  async #restore(): Promise<void> {
    const epoch = this.#epoch;
    const told = new Set<string>();
    this.#connected = true;
    for (
      let pauseMs = 100;
      epoch === this.#epoch && !this.#ended.signal.aborted;
      pauseMs = Math.min(2_000, 2 * pauseMs)
    ) {
      try {
        await this.#hooks.restore();
        if (epoch !== this.#epoch) return;
        this.#up = true;
        this.#context.onUp();
        return;
      } catch (error) {
        if (epoch !== this.#epoch || this.#ended.signal.aborted) return;
        // Told once, however often it is tried: a cluster may be without a leader for long.
        if (!told.has(describeError(error)))
          this.#context.onError(
            wrapError(error, "ERR_DRIVER", "Restoring the subscriptions failed", { driver: "nats" }),
          );
        told.add(describeError(error));
      }
      await delay(this.#context.clock, pauseMs, this.#ended.signal).catch(() => {
        // Ended: the loop sees it too.
      });
    }
  }

  #error(error: Error): void {
    const { subject, operation } = error as { subject?: unknown; operation?: unknown };
    const wrapped =
      error.name === "PermissionViolationError"
        ? refusal(error)
        : wrapError(error, "ERR_DRIVER", "The NATS server reports", { driver: "nats" });
    this.#context.onError(wrapped);
    if (typeof subject === "string" && operation === "publish") this.#hooks.refused(subject, wrapped);
  }

  #closed(error: unknown): void {
    if (this.#ended.signal.aborted) return;
    this.#epoch += 1;
    this.#hooks.down();
    this.#hooks.closed();
    this.#up = false;
    this.end();
    const lost = new BrokerError("ERR_CONNECTION_LOST", "The connection to the NATS server was closed.", {
      driver: "nats",
    });
    this.#context.onClosed(error instanceof Error ? connectError(error, [this.address]) : lost);
  }
}

/** What the client says where the server refuses a subject to the user, as an error with its code. */
export function refusal(error: unknown): BrokerError {
  const message = `The NATS server refuses it: ${describeError(error)}`;
  return new BrokerError("ERR_AUTHENTICATION", message, { driver: "nats", cause: error });
}
