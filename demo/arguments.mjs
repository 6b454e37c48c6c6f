// The demo's flags. All but `--messages` are those of any service, and passed on to the demo's programs.
import { parseArgs } from "node:util";
import { BrokerError } from "tidings";

export const USAGE = `Usage: npm run demo -- [--messages N] [--broker NAME|URL] [--broker-address HOST:PORT]

  --messages N                publish N messages on each topic, then stop (default: until Ctrl-C)
  --broker NAME|URL           the broker for all processes: http (default), nats, nats+core or rabbitmq
  --broker-address HOST:PORT  its address, such as 127.0.0.1:4222`;

/** Reads the flags: how many messages, and what the programs are given; throws `ERR_INVALID_OPTION`. */
export function readArguments(args) {
  const { messages, help, ...service } = parse(args);
  if (messages !== undefined && !/^[1-9]\d{0,6}$/.test(messages)) {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      `--messages takes a whole number, 1 or more, not ${JSON.stringify(messages)}.`,
    );
  }
  const flags = Object.entries(service).map(([name, value]) => `--${name}=${value}`);
  return { messages: messages === undefined ? undefined : Number(messages), flags, help };
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
