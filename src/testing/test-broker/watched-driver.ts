import type { Capabilities } from "../../capabilities.ts";
import type {
  DeadLetterAdmin,
  Driver,
  DriverContext,
  DriverDelivery,
  DriverSubscription,
  Publication,
  QueueAdmin,
  SubscribeRequest,
} from "../../driver.ts";
import { memory, memoryCapabilities } from "../../drivers/memory/index.ts";
import { BrokerError, wrapError } from "../../errors.ts";
import { wrapPublication, wrapRequest } from "../conformance/wrap-driver.ts";
import type { Ledger } from "./ledger.ts";
import { PublishedMessage } from "./recorded-message.ts";
import { WatchedDelivery } from "./watched-delivery.ts";

/** A subscription that lives, and its lower half in the hub of the day. */
interface Line {
  readonly request: SubscribeRequest;
  lower: DriverSubscription;
  stopped: boolean;
}

/**
 * The memory driver with everything that passes it watched. Its hub is private and outlives `disconnect`, as the server of
 * another broker would: queues and dead letters are there again after the next `connect`.
 */
export class WatchedDriver implements Driver<undefined> {
  readonly name = "memory";
  readonly capabilities: Capabilities = memoryCapabilities;
  readonly native = undefined;
  readonly #ledger: Ledger;
  readonly #lines = new Set<Line>();
  #hub: Driver | undefined;
  /** While connected. */
  #context: DriverContext | undefined;
  /** Given up since connecting, and what of it `disconnect` has to tell. */
  #givenUp = 0;
  #undelivered = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  get address(): string {
    return this.#context === undefined ? "" : "memory:";
  }

  get queues(): QueueAdmin {
    return this.#admin("queues");
  }

  get deadLetters(): DeadLetterAdmin {
    return this.#admin("deadLetters");
  }

  async connect(context: DriverContext): Promise<void> {
    this.#hub ??= await this.#openHub(context);
    this.#context = context;
    this.#undelivered = 0;
  }

  publish(publications: readonly Publication[]): void {
    const { failures, activity } = this.#ledger;
    const passed: Publication[] = [];
    for (const publication of publications) {
      const { topic } = publication;
      const failure = failures.take("publish", topic);
      if (failure === undefined) passed.push(this.#recorded(publication));
      else publication.fail(wrapError(failure, "ERR_DRIVER", "Publishing failed", { driver: this.name, topic }));
    }
    this.#connected().publish(passed);
    activity.touch();
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const line = { request, lower: await this.#subscribeTo(this.#connected(), request), stopped: false };
    this.#lines.add(line);
    return {
      stop: () => {
        line.stopped = true;
        this.#lines.delete(line);
        return line.lower.stop();
      },
      close: async (disconnecting) => {
        const before = this.#givenUp;
        await line.lower.close(disconnecting);
        if (disconnecting) this.#undelivered += this.#givenUp - before;
      },
    };
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#connected().flush?.(signal);
  }

  async disconnect(): Promise<void> {
    this.#context = undefined;
    // The next connection is a new one; what the lost one kept back goes back to where it was.
    this.#ledger.outage.end();
    const count = this.#undelivered;
    if (count === 0) return;
    const message = `${count} message(s) were given up: only subscriptions that ended wanted them.`;
    throw new BrokerError("ERR_UNDELIVERED", message, { driver: this.name, count });
  }

  /** Loses the connection. */
  down(): void {
    const { outage } = this.#ledger;
    if (this.#context === undefined || outage.error !== undefined) return;
    outage.error = new BrokerError("ERR_CONNECTION_LOST", "The test has cut the connection.", { driver: this.name });
    this.#context.onDown(outage.error);
  }

  /** Restores it: what was kept back comes, and what could not be settled comes again. */
  up(): void {
    const { outage } = this.#ledger;
    if (outage.error === undefined) return;
    outage.end();
    this.#context?.onUp();
  }

  /** Drops every message, and every queue that nobody is subscribed to. Subscriptions stay. */
  async renew(): Promise<void> {
    const fresh = this.#context === undefined ? undefined : await this.#openHub(this.#context);
    const old = this.#hub;
    this.#hub = fresh;
    if (fresh !== undefined) for (const line of this.#lines) line.lower = await this.#subscribeTo(fresh, line.request);
    try {
      await old?.disconnect(0);
    } catch (error) {
      // What is left is exactly what is to be dropped.
      if (!(error instanceof BrokerError && error.code === "ERR_UNDELIVERED")) throw error;
    }
  }

  async #openHub(context: DriverContext): Promise<Driver> {
    const hub = memory();
    const onGiveUp: DriverContext["onGiveUp"] = (message) => {
      this.#givenUp += 1;
      this.#context?.onGiveUp(message);
    };
    await hub.connect({ ...context, onGiveUp }, new AbortController().signal);
    return hub;
  }

  #connected(): Driver {
    const { error } = this.#ledger.outage;
    if (this.#hub === undefined || error !== undefined)
      throw error ?? new BrokerError("ERR_NOT_CONNECTED", "The test broker is not connected.", { driver: this.name });
    return this.#hub;
  }

  #admin<Part extends "queues" | "deadLetters">(part: Part): NonNullable<Driver[Part]> {
    const admin = this.#connected()[part];
    if (admin === undefined) throw new BrokerError("ERR_UNSUPPORTED", `The memory broker keeps no ${part}.`);
    return admin;
  }

  #recorded(publication: Publication): Publication {
    const ledger = this.#ledger;
    const message = new PublishedMessage(publication);
    ledger.recordPublished(message);
    let confirmed = false;
    // Its publisher waits no longer: as long as nobody has said that it is taken, it is not.
    publication.whenAnswered?.(() => !confirmed && ledger.removePublished(message));
    return wrapPublication(publication, {
      confirm: (state) => {
        confirmed = true;
        ledger.restorePublished(message);
        publication.confirm(state);
      },
      fail: (error) => {
        ledger.removePublished(message);
        publication.fail(error);
      },
    });
  }

  #subscribeTo(hub: Driver, request: SubscribeRequest): Promise<DriverSubscription> {
    const { generation } = this.#ledger;
    const deliver = (source: DriverDelivery): void => {
      if (generation === this.#ledger.generation) this.#deliver(request, source);
    };
    return hub.subscribe(wrapRequest(request, { deliver }));
  }

  #deliver(request: SubscribeRequest, source: DriverDelivery): void {
    const { activity, outage } = this.#ledger;
    const delivery = new WatchedDelivery(source, request, this.#ledger);
    activity.touch();
    outage.whenUp(() => {
      const dead = delivery.takeUnwritten();
      if (dead === undefined) return request.deliver(delivery);
      delivery.settle(dead)?.catch((error: unknown) => {
        this.#context?.onError(wrapError(error, "ERR_DRIVER", `Settling message ${source.id} failed`));
      });
    });
  }
}
