import type { ErrorCode } from "../../error-codes.ts";

/** How a server is started for a first try, by the broker's name. */
const START: Readonly<Record<string, string>> = {
  nats: "start one with `nats-server --jetstream`",
  "nats+core": "start one with `nats-server`",
  rabbitmq: "start one with `rabbitmq-server`",
};

/** A URL with user and password, by the broker's name. */
const LOGIN: Readonly<Record<string, string>> = {
  nats: "nats://user:password@host:4222",
  "nats+core": "nats+core://user:password@host:4222",
  rabbitmq: "amqp://user:password@host:5672",
};

/** What to do about an error of connecting or of a call, in one sentence. */
export function adviceFor(code: ErrorCode, broker: string): string {
  switch (code) {
    case "ERR_CONNECT_FAILED": {
      const start = START[broker];
      if (start === undefined)
        return "Give another address with --broker-address: one of this host, with a port that is free.";
      return `Check that --broker-address is right and a server listens there; ${start}.`;
    }
    case "ERR_AUTHENTICATION":
      if (LOGIN[broker] === undefined)
        return "Give all processes the same secret, or certificates that trust each other.";
      return `Set TIDINGS_BROKER to a URL with the right user and password, such as ${LOGIN[broker]}.`;
    case "ERR_MISSING_DEPENDENCY":
      return "Run the command in the message in your project.";
    case "ERR_ADDRESS_IN_USE":
      return "Give another port with --broker-address, or port 0 for a free one.";
    case "ERR_REGISTRY":
      return "Check --registry and --registry-address; the folder of the local registry must be yours alone (mode 0700).";
    case "ERR_UNSUPPORTED":
      return "The message says what there is instead: change the setting, the server, or the broker.";
    case "ERR_INVALID_OPTION":
      return "Change the setting that the message names.";
    default:
      return `docs/errors.md says what ${code} means.`;
  }
}
