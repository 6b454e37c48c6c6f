import type { ResolvedSubscribeOptions } from "./check-options.ts";
import { type DeadLetterHost, DeadLetterWriter } from "./dead-letter-writer.ts";
import type { Handler } from "./delivery.ts";
import { channels } from "./diagnostics.ts";
import { ACK, type Dead, type DriverDelivery, type DriverSubscription, type Outcome, RELEASE } from "./driver.ts";
import { BrokerError, describeError, isFinal, wrapError } from "./errors.ts";
import { FailurePolicy } from "./failure-policy.ts";
import { Agenda, type Appointment } from "./internal/agenda.ts";
import { type Clock, wallTime } from "./internal/clock.ts";
import type { MovableDeadline } from "./internal/deadline.ts";
import { type Deferred, deferred } from "./internal/deferred.ts";
import { Deque } from "./internal/deque.ts";
import { before } from "./internal/wait.ts";
import { KeyOrder } from "./key-order.ts";
import { RunningDeliveries, type RunningOwner } from "./running-deliveries.ts";
import { type Decision, type DeliveryOwner, RunningDelivery } from "./running-delivery.ts";

/** What a subscription needs from its broker. */
export interface SubscriptionHost extends DeadLetterHost {
  readonly name: string;
  readonly clock: Clock;
  /** Whether the driver moves dead letters itself. */
  readonly movesDeadLetters: boolean;
  /** Whether what failed may come again. Where nothing does, a dead letter is a message like any other. */
  readonly deliversAgain: boolean;
  onGiveUp(topic: string, id: string, queue: string | undefined, reason: string): void;
}

/** What a driver gets beyond the drain deadline to close a subscription, in milliseconds. */
const CLOSE_GRACE_MS = 1_000;

/**
 * The delivery contract of one subscription, above every driver: how many handlers run (D7), in which order (D8), who
 * settles (D3), how often a message is tried (D4), when it becomes a dead letter (D5, D6) and how it drains (D11).
 */
export class Subscription implements DeliveryOwner, RunningOwner {
  readonly id: string;
  readonly pattern: string;
  readonly options: ResolvedSubscribeOptions;
  readonly #host: SubscriptionHost;
  /** `undefined` for a pulled subscription: deliveries wait for `pull`. */
  readonly #handler: Handler | undefined;
  readonly #ready = new Deque<RunningDelivery>();
  readonly #running: RunningDeliveries;
  readonly #pullers = new Deque<Deferred<RunningDelivery | undefined>>();
  /** Only with `orderBy`. */
  readonly #keys = new KeyOrder<RunningDelivery>();
  /** Messages that wait here for their next attempt; only with `orderBy`. */
  readonly #waiting = new Map<RunningDelivery, Appointment>();
  readonly #agenda: Agenda;
  readonly #failures: FailurePolicy;
  readonly #deadLetters: DeadLetterWriter;
  #settling = 0;
  #starting = false;
  #stopping = false;
  /** Whether handlers start although it is stopping: nobody takes back what has arrived. */
  #finishing = false;
  #stopped = false;
  #idle: Deferred<void> | undefined;

  constructor(
    id: string,
    pattern: string,
    options: ResolvedSubscribeOptions,
    handler: Handler | undefined,
    host: SubscriptionHost,
  ) {
    this.id = id;
    this.pattern = pattern;
    this.options = options;
    this.#handler = handler;
    this.#host = host;
    this.#agenda = new Agenda(host.clock);
    this.#failures = new FailurePolicy(options, host.clock, host.deliversAgain);
    const origin = { pattern, queue: options.queue, subscriptionId: options.queue === undefined ? id : undefined };
    this.#deadLetters = new DeadLetterWriter(host, origin, options.maxAttempts, options.maxBackoffMs);
    this.#running = new RunningDeliveries(host.clock, options.ackTimeoutMs, this);
  }

  /** Takes a message from the driver. */
  deliver(source: DriverDelivery): void {
    const delivery = new RunningDelivery(source, this, source.attempt, source.firstFailureAt);
    if (this.#stopped) return this.#giveBack(delivery, RELEASE);
    if (source.broken !== undefined) return this.#bury(delivery, source.broken, source.attempt - 1);
    if (source.attempt > this.options.maxAttempts && !this.#failures.stays(source.topic)) {
      const reason =
        this.#deadLetters.reason(source.id) ??
        "no attempts are left: the process that held the message died, or lost it";
      return this.#bury(delivery, reason, source.attempt - 1);
    }
    if (this.options.orderBy !== undefined && source.key !== undefined && !this.#keys.admit(source.key, delivery))
      return;
    if (this.#ready.size > 0 || !this.#canStart()) this.#ready.push(delivery);
    else this.#start(delivery);
    this.#pump();
  }

  /** The next delivery, for a subscription without a handler; `undefined` once it has stopped. */
  pull(): Promise<RunningDelivery | undefined> {
    if (this.#stopping) return Promise.resolve(undefined);
    const puller = deferred<RunningDelivery | undefined>();
    this.#pullers.push(puller);
    this.#pump();
    return puller.promise;
  }

  /** Ends the wait of every `pull`. */
  endPulls(): void {
    this.#stopping = true;
    for (const puller of this.#pullers.drain()) puller.resolve(undefined);
  }

  /**
   * Drains: no handler starts any more, the driver stops fetching, what was not started goes back, and what runs may
   * finish until the deadline. What still runs then is aborted and goes back too. Where the driver takes nothing back, handlers
   * start until all that has arrived is handled, and what nobody pulled is given up.
   */
  async drain(driver: DriverSubscription, deadline: MovableDeadline, disconnecting: boolean): Promise<void> {
    this.endPulls();
    if (driver.takesBack === false) this.#finishOrLeave();
    const { clock } = this.#host;
    try {
      await deadline.met(driver.stop());
    } catch (error) {
      this.#host.onError(wrapError(error, "ERR_DRIVER", `Stopping the subscription to ${this.pattern} failed`));
    }
    if (this.#finishing) await this.#becomesIdle(deadline);
    this.#stopped = true;
    this.#finishing = false;
    this.#giveBackUnstarted();
    if (!(await this.#becomesIdle(deadline))) this.#cutOff();
    this.#running.stop();
    if (await before(clock, Math.max(deadline.at, clock.now() + CLOSE_GRACE_MS), driver.close(disconnecting))) return;
    throw new BrokerError("ERR_DRIVER", `The subscription to ${this.pattern} did not close in time.`, {
      topic: this.pattern,
    });
  }

  decide(delivery: RunningDelivery, decision: Decision): Promise<void> | undefined {
    let result: Promise<void> | undefined;
    if (decision.kind === "ack") result = this.#settle(delivery, ACK);
    else if (decision.kind === "nack") result = this.#again(delivery, decision.reason, decision.delayMs);
    else result = this.#dead(delivery, decision.reason, delivery.attempt);
    if (delivery.handlerEnded) this.#free(delivery);
    return result;
  }

  extend(delivery: RunningDelivery, ms: number): void {
    this.#running.extend(delivery, ms);
    delivery.source.extend?.(ms, delivery.attempt);
  }

  #pump(): void {
    while (this.#ready.size > 0 && this.#canStart()) this.#start(this.#ready.shift() as RunningDelivery);
  }

  // A handler that returns at once makes room for the next, which whoever started it starts: recursion would grow with the backlog.
  // Not a getter: V8 asks its runtime for a private one, each time.
  #canStart(): boolean {
    if (this.#starting || (this.#stopping && !this.#finishing) || this.#running.size >= this.options.concurrency)
      return false;
    return this.#handler !== undefined || this.#pullers.size > 0;
  }

  #start(delivery: RunningDelivery): void {
    this.#starting = true;
    this.#run(delivery);
    this.#starting = false;
  }

  #run(delivery: RunningDelivery): void {
    const slot = this.#running.add(delivery);
    if (channels.deliver.hasSubscribers) channels.deliver.publish(this.#event(delivery));
    const handle = this.#handler;
    if (handle === undefined) {
      delivery.handlerEnded = true;
      this.#pullers.shift()?.resolve(delivery);
      return;
    }
    let ending: Promise<unknown> | undefined;
    try {
      const result = handle(delivery);
      // A promise of the language's own tells its end once, whatever the handler's does, or the `then` that it was given.
      if (isThenable(result)) ending = Promise.resolve(result);
    } catch (error) {
      this.failed(delivery, error);
      return;
    }
    if (ending === undefined) this.returned(delivery);
    else Promise.prototype.then.call(ending, slot.returned, slot.failed);
  }

  /** A handler has ended well. */
  returned(delivery: RunningDelivery): void {
    delivery.handlerEnded = true;
    if (delivery.state === "open") {
      if (!this.options.autoAck) return;
      delivery.state = "settled";
      const answer = this.#settle(delivery, ACK);
      if (answer !== undefined) delivery.answer = answer;
    }
    this.#free(delivery);
  }

  /** A handler has failed. */
  failed(delivery: RunningDelivery, error: unknown): void {
    delivery.handlerEnded = true;
    const reason = describeError(error);
    this.#host.onError(
      new BrokerError(
        "ERR_HANDLER_FAILED",
        `The handler of ${delivery.topic} failed on message ${delivery.id}, ${this.#failures.describe(delivery, isFinal(error))}: ${reason}`,
        {
          topic: delivery.topic,
          cause: error,
        },
      ),
    );
    if (delivery.state !== "open") return this.#free(delivery);
    delivery.state = "settled";
    const delayMs = error instanceof BrokerError ? error.retryAfterMs : undefined;
    void this.decide(delivery, isFinal(error) ? { kind: "reject", reason } : { kind: "nack", delayMs, reason });
  }

  /** A handler's time is up. */
  timedOut(delivery: RunningDelivery): void {
    const reason = `the handler did not settle within ${this.options.ackTimeoutMs} ms`;
    const error = new BrokerError(
      "ERR_HANDLER_FAILED",
      `The handler of ${delivery.topic} timed out on message ${delivery.id}, ${this.#failures.describe(delivery, false)}: ${reason}.`,
      {
        topic: delivery.topic,
      },
    );
    delivery.expire(error);
    this.#host.onError(error);
    void this.decide(delivery, { kind: "nack", delayMs: undefined, reason });
  }

  /** Frees the slot, and lets the next message of the same key run. */
  #free(delivery: RunningDelivery): void {
    if (delivery.slot === undefined) return;
    this.#running.delete(delivery);
    if (!delivery.retriesHere) this.#nextOfKey(delivery);
    else if (!this.#waiting.has(delivery)) this.#runAgain(delivery);
    this.#pump();
    this.#checkIdle();
  }

  #nextOfKey(delivery: RunningDelivery): void {
    const { key } = delivery.source;
    if (this.options.orderBy === undefined || key === undefined) return;
    const next = this.#keys.next(key);
    if (next === undefined) return;
    if (this.#stopped) this.#giveBack(next, RELEASE);
    else this.#ready.push(next);
  }

  /** Another attempt after the backoff, or a dead letter if there is none left. */
  #again(delivery: RunningDelivery, reason: string, askedMs: number | undefined): Promise<void> | undefined {
    if (this.#failures.wasLast(delivery)) return this.#dead(delivery, reason, delivery.attempt);
    const delayMs = this.#failures.delayMs(delivery, askedMs);
    if (this.options.orderBy === undefined || delivery.key === undefined || this.#stopping)
      return this.#settle(delivery, this.#failures.retry(delivery, delayMs, delivery.attempt + 1));
    this.#waitHere(delivery, delayMs);
    return undefined;
  }

  /** Its key stays busy until then, so that no other message of the key passes it. */
  #waitHere(delivery: RunningDelivery, delayMs: number): void {
    delivery.retriesHere = true;
    delivery.source.extend?.(delayMs + this.options.ackTimeoutMs, delivery.attempt + 1);
    this.#waiting.set(
      delivery,
      this.#agenda.at(this.#host.clock.now() + delayMs, () => {
        this.#waiting.delete(delivery);
        if (delivery.slot === undefined) this.#runAgain(delivery);
      }),
    );
  }

  #runAgain(earlier: RunningDelivery): void {
    const next = new RunningDelivery(
      earlier.source,
      this,
      earlier.attempt + 1,
      earlier.firstFailureAt ?? wallTime(this.#host.clock),
    );
    if (this.#stopped) return this.#giveBack(next, this.#unstarted(next, 0));
    this.#ready.unshift(next);
    this.#pump();
  }

  /** A dead letter without a handler start. */
  #bury(delivery: RunningDelivery, reason: string, attempts: number): void {
    delivery.state = "settled";
    void this.#dead(delivery, reason, Math.max(0, attempts));
  }

  #dead(delivery: RunningDelivery, reason: string, attempts: number): Promise<void> | undefined {
    // A dead letter that fails stays where it is: nothing dead-letters twice.
    if (this.#failures.stays(delivery.topic)) return this.#again(delivery, reason, undefined);
    const dead = this.#failures.dead(delivery, reason, attempts);
    const { to } = dead;
    if (to === false) return this.#giveUp(delivery, dead);
    if (this.#host.movesDeadLetters) return this.#settle(delivery, dead);
    const written = this.#deadLetters
      .write(delivery.source, dead, to)
      .then((outcome) => this.#answer(delivery, outcome, outcome === ACK ? "dead" : outcome.kind));
    return this.#track(written, `Writing the dead letter of message ${delivery.id} failed`);
  }

  /** Reports it once it is certain: what could not be settled comes again, and may be handled then. */
  #giveUp(delivery: RunningDelivery, dead: Dead): Promise<void> | undefined {
    const report = () => this.#host.onGiveUp(delivery.topic, delivery.id, this.options.queue, dead.reason);
    const settled = this.#settle(delivery, dead);
    if (settled === undefined) report();
    else
      settled.then(report, () => {
        // The error hook has it.
      });
    return settled;
  }

  /** @param told what it means for the message, where the driver hears of only one of two steps */
  #answer(delivery: RunningDelivery, outcome: Outcome, told: Outcome["kind"] = outcome.kind): void | Promise<void> {
    if (channels.settle.hasSubscribers) channels.settle.publish({ ...this.#event(delivery), outcome: told });
    return delivery.source.settle(outcome);
  }

  #settle(delivery: RunningDelivery, outcome: Outcome): Promise<void> | undefined {
    const result = this.#answer(delivery, outcome);
    if (result === undefined) return undefined;
    return this.#track(result, `Settling message ${delivery.id} on ${delivery.topic} failed`);
  }

  /** Counts what the driver has not answered yet. A failure goes to the error hook, whether or not somebody awaits it too. */
  #track(result: Promise<void>, context: string): Promise<void> {
    this.#settling += 1;
    const answered = result
      .catch((error: unknown) => {
        throw wrapError(error, "ERR_DRIVER", context);
      })
      .finally(() => {
        this.#settling -= 1;
        this.#checkIdle();
      });
    answered.catch((error: BrokerError) => this.#host.onError(error));
    return answered;
  }

  #giveBack(delivery: RunningDelivery, outcome: Outcome): void {
    const result = this.#answer(delivery, outcome);
    if (result === undefined) return;
    void this.#track(result, `Giving back message ${delivery.id} on ${delivery.topic} failed`);
  }

  #giveBackUnstarted(): void {
    for (const delivery of this.#ready.drain()) this.#giveBack(delivery, this.#unstarted(delivery, 0));
    for (const delivery of this.#keys.drain()) this.#giveBack(delivery, RELEASE);
    for (const [delivery, appointment] of this.#waiting) {
      if (delivery.slot !== undefined) continue;
      const delayMs = Math.max(0, appointment.dueAt - this.#host.clock.now());
      this.#giveBack(delivery, this.#unstarted(delivery, delayMs, delivery.attempt + 1));
    }
    this.#waiting.clear();
    this.#agenda.clear();
  }

  // A message that was tried here before keeps the attempts it has used.
  #unstarted(delivery: RunningDelivery, delayMs: number, attempt: number = delivery.attempt): Outcome {
    if (attempt === delivery.source.attempt) return RELEASE;
    return this.#failures.retry(delivery, delayMs, attempt);
  }

  /** The drain deadline has passed: what still runs is aborted and given back, with no attempt counted. */
  #cutOff(): void {
    for (const delivery of this.#running.all()) {
      // What an abort does may end another one.
      if (delivery.slot === undefined) continue;
      this.#running.delete(delivery);
      const open = delivery.state === "open";
      delivery.expire(
        new BrokerError("ERR_STALE_DELIVERY", `The subscription to ${this.pattern} ended before the handler did.`, {
          topic: delivery.topic,
        }),
      );
      if (open) this.#giveBack(delivery, this.#unstarted(delivery, 0));
      else if (delivery.retriesHere) this.#giveBack(delivery, this.#unstarted(delivery, 0, delivery.attempt + 1));
    }
  }

  /** What has arrived is handled, though the subscription ends; without a handler there is nobody to wait for. */
  #finishOrLeave(): void {
    if (this.#handler === undefined) {
      this.#stopped = true;
      return this.#giveBackUnstarted();
    }
    this.#finishing = true;
    // Nothing starts from when the driver lost the subscription, and then nothing ends either.
    this.#pump();
  }

  /** Resolves with whether nothing runs, and all is settled, by then. */
  #becomesIdle(deadline: MovableDeadline): Promise<boolean> {
    this.#idle = deferred();
    this.#checkIdle();
    return deadline.met(this.#idle.promise);
  }

  #checkIdle(): void {
    // One that is done at once frees its place before the next takes it.
    if (this.#finishing && this.#ready.size > 0) return;
    if (this.#idle !== undefined && this.#running.size === 0 && this.#settling === 0) this.#idle.resolve();
  }

  #event(delivery: RunningDelivery): object {
    return {
      broker: this.#host.name,
      topic: delivery.topic,
      id: delivery.id,
      queue: this.options.queue,
      attempt: delivery.attempt,
    };
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
