import type {
  Driver,
  DriverContext,
  DriverDelivery,
  DriverSubscription,
  Outcome,
  Publication,
  SubscribeRequest,
} from "../../src/driver.ts";
import { BrokerError } from "../../src/errors.ts";
import { deferred } from "../../src/internal/deferred.ts";
import { wrapDelivery, wrapDriver, wrapRequest, wrapSubscription } from "../../src/testing/index.ts";
import type { FakeNetwork } from "./fake-network.ts";

const RECONNECT_MS = 5;
const HEARTBEAT_MS = 50;

/**
 * A connection between a driver and an engine in memory that can break: what a driver of a real engine has to do about it,
 * done in the simplest way. While it is down or silent the engine keeps what it would deliver.
 */
export class FakeLine {
  readonly #driver: Driver;
  readonly #network: FakeNetwork;
  readonly #subscriptions = new Set<LineSubscription>();
  /** `silent`: nothing passes, and nobody has noticed. */
  #state: "closed" | "up" | "silent" | "down" = "closed";
  #context: DriverContext | undefined;
  /** Publications that got no answer. */
  #held: Publication[] = [];
  #passing = deferred<void>();

  constructor(driver: Driver, network: FakeNetwork) {
    this.#driver = driver;
    this.#network = network;
  }

  /** The driver that sits at this end of the line. */
  driver(): Driver {
    return wrapDriver(this.#driver, {
      capabilities: { ...this.#driver.capabilities, durable: true },
      connect: (context, signal) => this.#connect(context, signal),
      publish: (publications) => this.#publish(publications),
      subscribe: (request) => this.#subscribe(request),
      disconnect: (deadlineAt) => this.#disconnect(deadlineAt),
    });
  }

  get up(): boolean {
    return this.#state === "up";
  }

  /** The connection breaks, and the driver notices. */
  lose(): void {
    if (this.#state !== "up" && this.#state !== "silent") return;
    this.#state = "down";
    const lost = connectionLost();
    for (const publication of this.#held.splice(0)) publication.fail(lost);
    this.#context?.onDown(lost);
    this.#restoreLater(1);
  }

  /** Nothing passes any more. With a heartbeat that is noticed after a while. */
  silence(heartbeat: boolean): void {
    if (this.#state !== "up") return;
    this.#state = "silent";
    if (heartbeat) this.#context?.clock.after(HEARTBEAT_MS, () => this.lose());
  }

  /** Ends a silence that nobody noticed. */
  passAgain(): void {
    if (this.#state === "silent") this.#pass();
  }

  /** Resolves when something can be said to the engine. @throws BrokerError when that will not be any more. */
  passing(): Promise<void> {
    return this.#state === "up" ? Promise.resolve() : this.#passing.promise;
  }

  async #connect(context: DriverContext, signal: AbortSignal): Promise<void> {
    this.#network.admit();
    await this.#driver.connect(context, signal);
    this.#context = context;
    this.#passing.promise.catch(ignore);
    this.#state = "up";
    this.#network.lines.add(this);
  }

  #publish(publications: readonly Publication[]): void {
    if (this.#state === "up") this.#driver.publish(publications);
    else if (this.#state === "silent") this.#held.push(...publications);
    else for (const publication of publications) publication.fail(connectionLost());
  }

  async #subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    if (this.#state !== "up") throw connectionLost();
    const subscription = new LineSubscription(this, request);
    this.#subscriptions.add(subscription);
    const inner = await this.#driver.subscribe(subscription.request());
    return wrapSubscription(inner, {
      stop: async () => {
        this.#subscriptions.delete(subscription);
        await inner.stop();
        subscription.giveBack();
      },
    });
  }

  async #disconnect(deadlineAt: number): Promise<void> {
    this.#end();
    this.#network.lines.delete(this);
    await this.#driver.disconnect(deadlineAt);
  }

  #restoreLater(attempt: number): void {
    this.#context?.clock.after(RECONNECT_MS, () => {
      const context = this.#context;
      if (this.#state !== "down" || context === undefined) return;
      if (this.#network.open) {
        this.#pass();
        context.onUp();
      } else if (attempt < (context.options.reconnect?.maxAttempts ?? Number.POSITIVE_INFINITY)) {
        this.#restoreLater(attempt + 1);
      } else {
        this.#end();
        context.onClosed(connectionLost());
      }
    });
  }

  #end(): void {
    this.#state = "closed";
    this.#passing.reject(connectionLost());
  }

  #pass(): void {
    this.#state = "up";
    this.#passing.resolve();
    this.#passing = deferred();
    this.#passing.promise.catch(ignore);
    const held = this.#held.splice(0);
    if (held.length > 0) this.#driver.publish(held);
    for (const subscription of this.#subscriptions) subscription.deliverHeld();
  }
}

/** A subscription over a line. */
class LineSubscription {
  readonly #line: FakeLine;
  readonly #request: SubscribeRequest;
  /** What the engine has yet to deliver. */
  #held: DriverDelivery[] = [];

  constructor(line: FakeLine, request: SubscribeRequest) {
    this.#line = line;
    this.#request = request;
  }

  request(): SubscribeRequest {
    return wrapRequest(this.#request, {
      deliver: (delivery) => {
        if (this.#line.up) this.#deliver(delivery);
        else this.#held.push(delivery);
      },
    });
  }

  deliverHeld(): void {
    for (const delivery of this.#held.splice(0)) this.#deliver(delivery);
  }

  /** The subscription ends: what the engine held for it is for others. */
  giveBack(): void {
    for (const delivery of this.#held.splice(0)) void delivery.settle({ kind: "release" });
  }

  /**
   * What was delivered and not settled comes again after a cut. The process has it still, so that it is not delivered a
   * second time: it is settled when the line is back.
   */
  #deliver(delivery: DriverDelivery): void {
    const settle = async (outcome: Outcome): Promise<void> => {
      await this.#line.passing();
      await delivery.settle(outcome);
    };
    this.#request.deliver(wrapDelivery(delivery, { settle }));
  }
}

function connectionLost(): BrokerError {
  return new BrokerError("ERR_CONNECTION_LOST", "The connection to the engine was lost.");
}

/** Nobody may be waiting; whoever is hears of it. */
function ignore(): void {}
