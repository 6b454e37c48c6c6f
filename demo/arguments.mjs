// The demo's flags. `--broker` and `--broker-address` mean what they mean to the command line.
import { parseArgs } from "node:util";
import { BrokerError } from "tidings";
import { resolveSettings } from "../dist/cli/settings.js";

export const USAGE = `Usage: npm run demo -- [--messages N] [--broker NAME|URL] [--broker-address HOST:PORT]

  --messages N                publish N messages on each topic, then stop (default: until Ctrl-C)
  --broker NAME|URL           the broker for all processes (default: the embedded HTTP broker)
  --broker-address HOST:PORT  its address`;

/** Reads the flags; throws `ERR_INVALID_OPTION`. */
export function readArguments(args, env) {
  const { messages, help, broker, "broker-address": brokerAddress } = parse(args);
  if (messages !== undefined && !/^[1-9]\d{0,6}$/.test(messages)) {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `--messages takes a whole number, 1 or more, not ${JSON.stringify(messages)}.`,
    );
  }
  const url = resolveSettings({ broker, brokerAddress }, env).broker;
  if (url?.startsWith("http:") && /:[1-9]\d*\/?$/.test(url)) {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      "Each process of the HTTP broker listens at an address of its own: leave the port out, or give port 0.",
    );
  }
  return { messages: messages === undefined ? undefined : Number(messages), broker: url, help };
}

function parse(args) {
  const text = { type: "string" };
  const options = { messages: text, broker: text, "broker-address": text, help: { type: "boolean", short: "h" } };
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new BrokerError("ERR_INVALID_OPTION", error.message, { cause: error });
  }
}
