/**
 * The NATS drivers: JetStream, at least once, and core NATS, at most once.
 *
 * - **Mapping.** A topic is a subject of one stream that keeps a message until everybody who wants it has acked it; a
 *   queue is a durable consumer, a broadcast subscription a consumer that expires; dead letters are a stream of their own.
 *   On core NATS a topic is a subject, and a queue a queue group.
 * - **Delivery semantics.** At least once, kept in files by the server; core NATS forgets what it has sent.
 * - **Capabilities.** `natsCapabilities` and `natsCoreCapabilities` below.
 * - **URL.** `nats://host:port` and `nats+core://host:port`. Options: {@link NatsOptions}, {@link NatsCoreOptions}.
 * - **Escape hatch.** `broker.native` is the client's connection.
 */
import type { NatsConnection } from "@nats-io/transport-node";
import type { BrokerOptions } from "../../broker-options.ts";
import type { Driver } from "../../driver.ts";
import { NatsCoreDriver } from "./core-driver.ts";
import { NatsDriver } from "./nats-driver.ts";
import { checkNatsOptions, type NatsCoreOptions, type NatsOptions, optionsOfUrl } from "./options.ts";

export { natsCapabilities, natsCoreCapabilities } from "./capabilities.ts";
export type { NatsCoreOptions, NatsOptions, NatsTlsOptions } from "./options.ts";

/** A driver on a NATS server with JetStream: at least once. */
export function nats(options: NatsOptions = {}): Driver<NatsConnection> {
  checkNatsOptions(options, false);
  return new NatsDriver(options);
}

/** A driver on a NATS server, with or without JetStream: at most once. */
export function natsCore(options: NatsCoreOptions = {}): Driver<NatsConnection> {
  checkNatsOptions(options, true);
  return new NatsCoreDriver(options);
}

/** Opens `nats://host:port`, or `nats+core://host:port`. */
export function open(url: string, _options: BrokerOptions): Driver {
  const options = optionsOfUrl(url);
  return /^nats\+core:/i.test(url) ? natsCore(options) : nats(options);
}
