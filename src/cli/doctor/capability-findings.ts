import type { Capabilities } from "../../capabilities.ts";
import type { Finding } from "./finding.ts";

/** What a broker promises, a line for each promise; what is missing has advice where something can be done about it. */
export function capabilityFindings(capabilities: Capabilities, broker: string): Finding[] {
  const { guarantee, durable, processes, mandatory, standingQueues, deadLetters, ordered, keyAffinity } = capabilities;
  const once = guarantee === "at-most-once";
  return [
    once
      ? warning("guarantee", "at most once: no retries, no dead letters, and nothing is kept for who is not there", [
          broker === "nats+core"
            ? "Use nats:// (JetStream) on the same kind of server."
            : "Use a broker that delivers at least once.",
        ])
      : ok("guarantee", "at least once: retries, dead letters, acknowledgement"),
    durable
      ? ok("durable", "what is stored survives a restart of the server")
      : warning("durable", "messages that are not handled yet end with whoever keeps them", [
          processes && !once
            ? "Let publishers end by `disconnect`, which waits for delivery; use nats:// or amqp:// where messages must survive."
            : "Use nats:// or amqp:// where messages must survive.",
        ]),
    processes
      ? ok("processes", "separate processes share messages")
      : warning("processes", "messages stay within one process", ["Use http, nats or rabbitmq between processes."]),
    standingQueues
      ? ok("queues", "keep their messages while no member is alive; `tidings queues` manages them")
      : ok("queues", "get messages only while a member is alive"),
    deadLetters
      ? ok("dead letters", "are kept until they are read; `tidings dlq` manages them")
      : ok("dead letters", "there are none"),
    ok(
      "mandatory",
      mandatory
        ? "can tell whether somebody wants a message"
        : "is not supported: the server does not tell who wants a message",
    ),
    ok("order", ordered ? "first attempts come in order to a single member" : "is not promised"),
    ok(
      "keys",
      keyAffinity
        ? "stay with one member of a queue"
        : "may move between members of a queue; order within a member holds with orderBy",
    ),
    ok("retry delays", retryDelays(capabilities)),
    ok("largest message", largest(capabilities)),
  ];
}

function retryDelays({ guarantee, retryDelaysMs }: Capabilities): string {
  if (guarantee === "at-most-once") return "there are no retries";
  if (retryDelaysMs === "any") return "as asked";
  const steps = [...retryDelaysMs].sort((one, other) => one - other);
  return `rounded up to one of ${steps.length} steps from ${steps[0]} to ${steps.at(-1)} ms`;
}

function largest({ maxMessageBytes }: Capabilities): string {
  return maxMessageBytes === null ? "only maxMessageBytes limits it" : `${maxMessageBytes} bytes, by the server`;
}

function ok(check: string, message: string): Finding {
  return { check, status: "ok", message };
}

function warning(check: string, message: string, [advice]: readonly [string]): Finding {
  return { check, status: "warning", message, advice };
}
