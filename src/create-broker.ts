import { Broker } from "./broker.ts";
import type { BrokerOptions } from "./broker-options.ts";
import { json } from "./codecs/json.ts";
import type { DriverSource } from "./connection.ts";
import type { Driver } from "./driver.ts";
import { BrokerError } from "./errors.ts";
import { findScheme } from "./schemes.ts";

/**
 * Makes a broker; `connect` it before use. Synchronous: a driver behind a URL is loaded, and its options are checked, at
 * `connect`.
 * @param urlOrDriver a URL (`"http://127.0.0.1:0"`, `"memory:"`), a driver's name (`"http"`) or a driver (`http({ ... })`).
 * Default: the environment variable `TIDINGS_BROKER`, then the embedded HTTP broker.
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export function createBroker<Native = unknown>(
  urlOrDriver?: string | Driver<Native>,
  options: BrokerOptions = {},
): Broker<Native> {
  return new Broker<Native>({ source: driverSource(urlOrDriver), codec: json }, options);
}

/**
 * The broker that the package exports as `broker`. A wrong `TIDINGS_BROKER` is told when it connects: importing the package
 * must not fail for programs that never use it.
 */
export function createDefaultBroker(): Broker {
  try {
    return createBroker();
  } catch (error) {
    return new Broker({ source: { name: "http", load: () => Promise.reject(error) }, codec: json });
  }
}

function driverSource(urlOrDriver: string | Driver | undefined): DriverSource {
  if (typeof urlOrDriver === "object" && urlOrDriver !== null && typeof urlOrDriver.connect === "function") {
    return { name: urlOrDriver.name, load: async () => urlOrDriver };
  }
  if (urlOrDriver !== undefined && typeof urlOrDriver !== "string")
    throw new BrokerError("ERR_INVALID_OPTION", "createBroker takes a URL, a name or a driver.");
  const { scheme, url } = findScheme(urlOrDriver ?? (process.env["TIDINGS_BROKER"] || "http"));
  return { name: scheme.name, load: (options) => scheme.open(url, options) };
}
