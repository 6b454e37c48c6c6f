import assert from "node:assert/strict";
import type { Broker } from "../../../broker.ts";
import type { BrokerOptions } from "../../../broker-options.ts";
import type { BrokerError } from "../../../errors.ts";
import { silentLogger } from "../../../logger.ts";
import type { CheckContext } from "../check-context.ts";
import type { ProxyControl } from "../harness.ts";

/** How long a driver may take to notice that its connection has gone silent, in milliseconds. */
const SILENCE_DEADLINE_MS = 30_000;

/** A broker behind a proxy. */
export interface ProxiedBroker {
  readonly broker: Broker;
  /** Every error that it reported through `onError`. */
  readonly errors: readonly BrokerError[];
}

/** A check's own proxy. */
export interface OwnProxy {
  readonly proxy: ProxyControl;
  /** A broker, not yet connected, that reaches the engine only through the proxy. */
  unconnected(options?: BrokerOptions): ProxiedBroker;
  /** The same, connected. */
  open(options?: BrokerOptions): Promise<ProxiedBroker>;
}

/** Puts a proxy in front of the engine until the end of the check; it is healed before its brokers are closed. */
export async function openProxy(context: CheckContext): Promise<OwnProxy> {
  const engine = await context.harness.proxied?.();
  assert.ok(engine !== undefined, "the harness has no proxied");
  const { proxy } = engine;
  context.defer(() => engine.close());
  const unconnected = (options: BrokerOptions = {}): ProxiedBroker => {
    const errors: BrokerError[] = [];
    const onError = (error: BrokerError): void => void errors.push(error);
    const broker = engine.unconnected({ logger: silentLogger, onError, ...options });
    context.defer(() => broker.disconnect());
    context.defer(() => proxy.heal());
    return { broker, errors };
  };
  return {
    proxy,
    unconnected,
    async open(options) {
      const opened = unconnected(options);
      await opened.broker.connect();
      return opened;
    },
  };
}

/** Takes the connection away, and waits until the brokers say so. */
export async function takeDown(
  context: CheckContext,
  proxy: ProxyControl,
  ...brokers: readonly Broker[]
): Promise<void> {
  await proxy.refuse();
  proxy.cut();
  for (const broker of brokers) await untilStatus(context, broker, "reconnecting");
}

/** Waits until a broker has this status. Noticing a silent connection may take half a minute. */
export async function untilStatus(
  context: CheckContext,
  broker: Broker,
  status: "reconnecting" | "connected" | "closed",
): Promise<void> {
  await context.until(`the broker is ${status}`, () => broker.status === status, {
    deadlineMs: context.profile.deadlineMs < SILENCE_DEADLINE_MS / 2 ? context.profile.deadlineMs : SILENCE_DEADLINE_MS,
    detail: () => `it is ${broker.status}`,
  });
}
