import { randomUUID } from "node:crypto";
import { Broker } from "../broker.ts";
import type { Codec } from "../codec.ts";
import type { Delivery } from "../delivery.ts";
import { BrokerError, wrapError } from "../errors.ts";
import { guardedLogger, tellHook } from "../hooks.ts";
import { type Deferred, deferred } from "../internal/deferred.ts";
import { defaultLogger } from "../logger.ts";
import { openRegistry } from "../registries/by-name.ts";
import { leftInTime, timed } from "../registries/timed.ts";
import { Codecs } from "./codecs.ts";
import { MessageContext } from "./context.ts";
import { allOf, namedHandlers, type ServiceHandler } from "./handlers.ts";
import { makeBroker } from "./make-broker.ts";
import { compose, type Middleware, type PublishMiddleware, type SubscribeMiddleware } from "./middleware.ts";
import { ServicePublisher } from "./publisher.ts";
import { ServiceRegistration } from "./registration.ts";
import {
  checkServiceOptions,
  checkServiceSubscribeOptions,
  runHooks,
  type ServiceOptions,
  type ServiceSubscribeOptions,
} from "./service-options.ts";
import { serviceRecord } from "./service-record.ts";
import { releaseBroker, useBroker } from "./shared-brokers.ts";
import { guardAgainstSignals } from "./signal-guard.ts";
import { onStopSignal } from "./signals.ts";
import {
  type Definition,
  type HandlerObject,
  notSubscribed,
  type ServiceStatus,
  type ServiceSubscription,
  tell,
  untold,
} from "./subscription-definition.ts";
import { asTopic, type Topic } from "./topic.ts";
import { unsubscribeAll } from "./unsubscribe-all.ts";

/** A program with a name, that subscribes, publishes, can be found, is configured from outside and stops cleanly. */
export class Service implements AsyncDisposable {
  readonly #definitions = new Set<Definition>();
  readonly #subscribeMiddleware: SubscribeMiddleware[] = [];
  readonly #publishMiddleware: PublishMiddleware[] = [];
  readonly #id: string = randomUUID();
  #options: ServiceOptions;
  #codecs: Codecs;
  #broker: Broker | undefined;
  #registration: ServiceRegistration | undefined;
  #status: ServiceStatus = "idle";
  /** Whether what is subscribed now is made at once: the start has begun to make what it found, and nothing has ended that. */
  #subscribing = false;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** Whether `stop` was called since the last start, or before any. */
  #stopAsked = false;
  /** Whether `run` was called since the last start. */
  #running = false;
  #unguard = (): void => {};
  #ended = deferred<void>();

  constructor(options: ServiceOptions) {
    checkServiceOptions(options);
    if (options.broker instanceof Broker && options.brokerOptions !== undefined) {
      throw new BrokerError(
        "ERR_INVALID_OPTION",
        "brokerOptions go with a broker that the service makes, not with one that is made already.",
      );
    }
    this.#options = { ...options };
    this.#codecs = this.#makeCodecs();
  }

  get name(): string {
    return this.#options.name;
  }

  get version(): string {
    return this.#options.version ?? "latest";
  }

  /** Which instance this is. */
  get id(): string {
    return this.#options.id ?? this.#id;
  }

  get status(): ServiceStatus {
    return this.#status;
  }

  /** The broker in use: the one given, or one that the service makes of its options when first asked. */
  get broker(): Broker {
    this.#broker ??= makeBroker(this.#options);
    return this.#broker;
  }

  /**
   * Takes settings from the environment (`TIDINGS_*`, then go-micro's `MICRO_*`) and from the command line, the later winning
   * over what the code says. Flags that it does not know are the program's own. `--help` prints the flags and ends the process.
   * @throws BrokerError `ERR_INVALID_OPTION` that names the flag or variable and what is allowed; `ERR_CONNECTED` after the start
   */
  async init(argv: readonly string[] = process.argv.slice(2), env: NodeJS.ProcessEnv = process.env): Promise<void> {
    // Whoever takes no settings does not load what reads them.
    const [{ resolveSettings }, { concernBroker, withSettings }] = await Promise.all([
      import("./settings/resolve-settings.ts"),
      import("./settings/with-settings.ts"),
    ]);
    if (this.#status !== "idle")
      throw new BrokerError("ERR_CONNECTED", "A service takes settings only before it starts.");
    const given = this.#options;
    // An address alone is that of the broker named in the code.
    const named = typeof given.broker === "string" ? given.broker : given.broker?.name;
    const { settings, help } = resolveSettings(argv, env, {
      broker: given.broker instanceof Broker ? undefined : named,
    });
    if (help) {
      const { settingsHelp } = await import("./settings/help.ts");
      process.stdout.write(`${this.name} ${this.version}\n\n${settingsHelp()}`);
      process.exit(0);
    }
    this.#options = withSettings(given, settings);
    if (given.broker instanceof Broker) {
      const unused = "Settings for the broker are not used: the program made its broker itself.";
      if (concernBroker(settings))
        guardedLogger(given.broker.options.logger ?? defaultLogger).warn({ service: this.name }, unused);
      return;
    }
    this.#broker = undefined;
    this.#codecs = this.#makeCodecs();
  }

  /**
   * Subscribes a handler, or every method of an object, to a topic or pattern: when the service starts, or at once if it has.
   * A payload that cannot be decoded, or that the topic's schema refuses, becomes a dead letter without a handler start.
   * @throws BrokerError `ERR_INVALID_TOPIC`, `ERR_INVALID_OPTION`
   */
  subscribe<Input, Output>(
    on: Topic<Input, Output>,
    handler: ServiceHandler<NoInfer<Output>>,
    options?: ServiceSubscribeOptions,
  ): ServiceSubscription;
  // biome-ignore lint/suspicious/noExplicitAny: without a schema the payload is whatever the handler says that it is
  subscribe<Payload = any>(
    on: string,
    handler: ServiceHandler<Payload>,
    options?: ServiceSubscribeOptions,
  ): ServiceSubscription;
  subscribe<Target extends object>(
    on: string | Topic,
    handlers: HandlerObject<Target>,
    options?: ServiceSubscribeOptions,
  ): ServiceSubscription;
  subscribe(on: string | Topic, given: unknown, options: ServiceSubscribeOptions = {}): ServiceSubscription {
    const { methods, codecs = [], ...rest } = options;
    checkServiceSubscribeOptions(rest);
    const definition: Definition = {
      topic: asTopic(on),
      handlers: namedHandlers(given, methods),
      codecs,
      options: rest,
      subscribed: untold(),
      told: false,
      subscriber: undefined,
      ending: undefined,
    };
    this.#definitions.add(definition);
    if (this.#subscribing) void this.#subscribeLate(definition);
    return {
      topic: definition.topic.name,
      queue: options.queue,
      ready: () => definition.subscribed.promise,
      unsubscribe: () => {
        definition.ending ??= this.#unsubscribe(definition);
        return definition.ending;
      },
    };
  }

  /**
   * A publisher to one topic; it works once the service has started.
   * @param options `codec`: what encodes its payloads. Default: the service's standard one.
   * @throws BrokerError `ERR_INVALID_TOPIC`, also for a pattern
   */
  publisher<Input>(to: Topic<Input, unknown>, options?: { codec?: Codec }): ServicePublisher<Input>;
  // biome-ignore lint/suspicious/noExplicitAny: without a schema the payload is whatever the program says that it is
  publisher<Payload = any>(to: string, options?: { codec?: Codec }): ServicePublisher<Payload>;
  publisher(to: string | Topic, options: { codec?: Codec } = {}): ServicePublisher {
    return new ServicePublisher(
      asTopic(to),
      options.codec ?? this.#codecs.standard,
      this.#publishMiddleware,
      () => this.broker,
    );
  }

  /**
   * Adds middleware, the first outermost: a function around every handler, or an object with one for either side.
   * @throws BrokerError `ERR_CONNECTED` after the start, `ERR_INVALID_OPTION`
   */
  use(...middleware: readonly Middleware[]): this {
    if (this.#status !== "idle")
      throw new BrokerError("ERR_CONNECTED", "Middleware is added before the service starts.");
    for (const one of middleware) {
      const { subscribe, publish } = typeof one === "function" ? { subscribe: one, publish: undefined } : one;
      if (subscribe === undefined && publish === undefined)
        throw new BrokerError(
          "ERR_INVALID_OPTION",
          "A middleware is a function, or an object with subscribe or publish.",
        );
      if (subscribe !== undefined) this.#subscribeMiddleware.push(subscribe);
      if (publish !== undefined) this.#publishMiddleware.push(publish);
    }
    return this;
  }

  /**
   * Connects, subscribes and registers; resolves when all of that is done. Starting twice is harmless. Where it fails, what was
   * begun is undone.
   * @throws what connecting, subscribing, registering or a hook threw
   */
  start(): Promise<void> {
    if (this.#stopping !== undefined)
      return Promise.reject(
        new BrokerError("ERR_CONNECTED", "The service is stopping; wait for that before starting it again."),
      );
    if (this.#status === "started") return Promise.resolve();
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /**
   * Leaves the registry, drains its subscriptions, and closes the broker unless another service still uses it. Idempotent.
   * @throws BrokerError `ERR_UNDELIVERED` as `broker.disconnect`, or what a hook threw; the service is stopped all the same
   */
  stop(): Promise<void> {
    this.#stopAsked = true;
    if (this.#status === "idle" || this.#status === "stopped") this.#ended.resolve();
    else
      this.#stopping ??= this.#stop().finally(() => {
        this.#stopping = undefined;
      });
    return this.#stopping ?? Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Starts if it has not, and runs until SIGINT, SIGTERM or `stop`, then stops; resolves when it has. A second signal ends the
   * process at once. Where `stop` was called before, it starts nothing and resolves; `start` makes it run anew.
   * @throws what starting or stopping threw
   */
  async run(): Promise<void> {
    const alive = setInterval(() => {}, 2 ** 30);
    const forget = onStopSignal(() => void this.#drain());
    try {
      if (!this.#stopAsked) await this.start();
      this.#running = true;
      await this.#ended.promise;
    } finally {
      clearInterval(alive);
      forget();
    }
  }

  /** Stops for a signal; resolves with whether nobody runs the service. What stopping threw, `run` hears by its end. */
  async #drain(): Promise<boolean> {
    await this.stop().catch((error: unknown) => {
      if (!this.#running) this.#report(error, "Stopping failed");
    });
    return !this.#running;
  }

  async #start(): Promise<void> {
    this.#status = "starting";
    this.#stopAsked = false;
    this.#running = false;
    this.#ended = deferred<void>();
    this.#ended.promise.catch(() => {
      // Told by `stop` to its caller; `run` hears it here.
    });
    for (const definition of this.#definitions) {
      if (definition.told) Object.assign(definition, { subscribed: untold(), told: false });
    }
    const { broker } = this;
    const free = useBroker(broker);
    try {
      await runHooks(this.#options.beforeStart);
      await free;
      await broker.connect();
      this.#unguard = guardAgainstSignals(() => this.#drain());
      this.#subscribing = true;
      // All of them, so that none arrives when the start has failed already and is being undone.
      const opened = await Promise.allSettled([...this.#definitions].map((definition) => this.#open(definition)));
      for (const result of opened) if (result.status === "rejected") throw result.reason;
      await this.#register();
      await runHooks(this.#options.afterStart);
      this.#status = "started";
    } catch (error) {
      for (const definition of this.#definitions) tell(definition, error);
      await this.#close().catch((second: unknown) => this.#report(second, "Undoing a failed start failed"));
      this.#unguard();
      this.#status = "idle";
      throw error;
    }
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => {
      // Told by `start`; what it had begun is undone.
    });
    if (this.#status !== "started") return this.#ended.resolve();
    this.#status = "stopping";
    const errors: unknown[] = [];
    for (const step of [
      () => runHooks(this.#options.beforeStop),
      () => this.#close(),
      () => runHooks(this.#options.afterStop),
    ]) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#status = "stopped";
    this.#unguard();
    if (errors.length === 0) return this.#ended.resolve();
    for (const error of errors.slice(1)) this.#report(error, "Stopping failed");
    this.#ended.reject(errors[0]);
    throw errors[0];
  }

  /** Out of the registry first, so that nobody counts on a service that drains. */
  async #close(): Promise<void> {
    this.#subscribing = false;
    try {
      if (this.#registration !== undefined) await leftInTime(this.#registration.stop());
    } catch (error) {
      this.#report(error, "Leaving the registry failed; the record ends with its TTL");
    }
    this.#registration = undefined;
    const subscribers = [...this.#definitions].map(({ subscriber }) => subscriber);
    for (const definition of this.#definitions) definition.subscriber = undefined;
    // The last user disconnects, which drains the subscriptions too, and counts what only they still wanted.
    if (await releaseBroker(this.broker)) return;
    await unsubscribeAll(subscribers, (error) => this.#report(error, "Unsubscribing failed"));
  }

  async #unsubscribe(definition: Definition): Promise<void> {
    if (!this.#definitions.delete(definition)) return;
    // One that is on its way ends itself when it arrives.
    if (this.#subscribing) await definition.subscribed.promise.catch(() => {});
    else tell(definition, notSubscribed(definition));
    await definition.subscriber?.unsubscribe();
    await this.#registration?.update();
  }

  /** @param start what it belongs to: what arrives after the next start ends itself, and is no news of that one. */
  async #open(definition: Definition, start: Deferred<void> = this.#ended): Promise<void> {
    const { topic: on, handlers, codecs, options } = definition;
    const handle = allOf(handlers);
    const run = compose<MessageContext, unknown>(this.#subscribeMiddleware, async (context) =>
      handle(await context.payload(), context),
    );
    const subscription = options.queue === undefined ? randomUUID() : JSON.stringify([on.name, options.queue]);
    const host = { codecs: this.#makeCodecs(codecs), publisher: (to: string | Topic) => this.publisher(to as Topic) };
    try {
      const subscriber = await this.broker.subscribe(
        on.name,
        (delivery: Delivery) => run(new MessageContext(delivery, on, options.queue, subscription, host)),
        options,
      );
      if (this.#subscribing && start === this.#ended && this.#definitions.has(definition)) {
        definition.subscriber = subscriber;
        tell(definition);
      } else {
        await subscriber.unsubscribe();
        if (start === this.#ended) tell(definition, notSubscribed(definition));
      }
    } catch (error) {
      if (start === this.#ended) tell(definition, error);
      throw error;
    }
  }

  async #subscribeLate(definition: Definition): Promise<void> {
    const start = this.#ended;
    try {
      await this.#open(definition, start);
    } catch (error) {
      // Where the service has stopped meanwhile, the next start makes it.
      if (this.#subscribing && start === this.#ended) this.#definitions.delete(definition);
      this.#report(error, `Subscribing to ${definition.topic.name} failed`);
    }
    await this.#registration?.update();
  }

  async #register(): Promise<void> {
    const { registerTtlMs, registerIntervalMs, registerCheck, metadata } = this.#options;
    const { broker } = this;
    const { registry: asked = broker.options.registry } = this.#options;
    // A broker that never leaves the process has nobody outside who could look its services up.
    const registry = timed(
      await openRegistry(asked ?? (broker.capabilities.processes ? "local" : "memory"), broker.options.registryAddress),
    );
    this.#registration = new ServiceRegistration(
      registry,
      () => serviceRecord(this, this.#definitions, { ...metadata, registry: registry.name }),
      {
        registerTtlMs,
        registerIntervalMs,
        registerCheck,
        onError: (error) => this.#report(error, "Registering failed"),
      },
    );
    await this.#registration.start();
  }

  #makeCodecs(more: readonly Codec[] = []): Codecs {
    const { broker, brokerOptions, codecs = [] } = this.#options;
    const standard = broker instanceof Broker ? broker.options.codec : brokerOptions?.codec;
    return new Codecs(standard, [...codecs, ...more]);
  }

  #report(error: unknown, context: string): void {
    const wrapped = wrapError(error, "ERR_DRIVER", context);
    const onError = this.#options.onError ?? this.broker.options.onError;
    const logger = guardedLogger(this.broker.options.logger ?? defaultLogger);
    if (onError === undefined) logger.error({ service: this.name, error: wrapped }, wrapped.message);
    else tellHook(onError, wrapped, logger);
  }
}
