import { Broker } from "../../broker.ts";
import type { ServiceOptions } from "../service-options.ts";
import type { Settings } from "./resolve-settings.ts";

/**
 * The options of a service with what environment and flags say in place of what the code says. A broker that the program made
 * may be shared with others, so that only the program can replace it: settings for it change nothing.
 */
export function withSettings(given: ServiceOptions, settings: Settings): ServiceOptions {
  const { broker, brokerOptions, metadata, ...rest } = settings;
  const options: ServiceOptions = {
    ...given,
    ...rest,
    ...(metadata === undefined ? {} : { metadata: { ...given.metadata, ...metadata } }),
  };
  if (given.broker instanceof Broker) return options;
  return {
    ...options,
    // Named in any case: `createBroker` would look into the process's own environment, which may not be the one given here.
    broker: broker ?? given.broker ?? "http",
    brokerOptions: { ...given.brokerOptions, ...brokerOptions },
    ...(brokerOptions.registry === undefined ? {} : { registry: brokerOptions.registry }),
  };
}

/** Whether settings say anything of the broker. */
export function concernBroker({ broker, brokerOptions }: Settings): boolean {
  return broker !== undefined || Object.keys(brokerOptions).length > 0;
}
