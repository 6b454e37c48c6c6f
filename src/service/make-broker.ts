import { Broker } from "../broker.ts";
import { createBroker } from "../create-broker.ts";
import type { ServiceOptions } from "./service-options.ts";

/** The broker of a service: the one that it was given, or one made of its options. */
export function makeBroker(options: ServiceOptions): Broker {
  const { broker, brokerOptions = {}, registry, onError } = options;
  if (broker instanceof Broker) return broker;
  return createBroker(broker, {
    ...(registry === undefined ? {} : { registry }),
    ...(onError === undefined ? {} : { onError }),
    ...brokerOptions,
  });
}
