import { randomBytes } from "node:crypto";
import type { Broker } from "../../broker.ts";
import { type BrokerError, wrapError } from "../../errors.ts";
import { systemClock } from "../../internal/clock.ts";
import { deferred } from "../../internal/deferred.ts";
import { abortable } from "../../internal/wait.ts";
import { adviceFor } from "./advice.ts";
import { capabilityFindings } from "./capability-findings.ts";
import type { Finding } from "./finding.ts";

/** How many queues or topics a line names. */
const MAX_NAMED = 3;

/**
 * Examines a broker: connects, asks the server what it is, sends a message to itself, looks at queues and dead letters, and
 * disconnects. Never throws for what it finds; what cannot be examined after a failure is left out.
 * @param found called with each finding as it comes
 * @throws the signal's reason, when that is aborted
 */
export async function examine(
  broker: Broker,
  timeoutMs: number,
  stop: AbortSignal,
  found: (finding: Finding) => void,
): Promise<void> {
  const attempt = async (check: string, work: () => Promise<Finding | undefined>): Promise<boolean> => {
    try {
      const finding = await work();
      if (finding !== undefined) found(finding);
      return finding?.status !== "failure";
    } catch (error) {
      if (stop.aborted) throw stop.reason;
      found(failure(check, wrapError(error, "ERR_DRIVER", "Failed"), broker));
      return false;
    }
  };
  const startedAt = performance.now();
  const connected = await attempt("connect", async () => {
    await broker.connect({ signal: stop });
    const message = `${broker.name} ${broker.address} in ${sinceMs(startedAt)} ms`;
    return { check: "connect", status: "ok", message };
  });
  if (!connected) return;
  found(serverOf(broker));
  for (const finding of capabilityFindings(broker.capabilities, broker.name)) found(finding);
  await attempt("round trip", () => roundTrip(broker, timeoutMs, stop));
  if (broker.capabilities.standingQueues) await attempt("waiting", () => waiting(broker));
  if (broker.capabilities.deadLetters) await attempt("failed", () => failed(broker));
  await attempt("disconnect", async () => {
    await broker.disconnect();
    return { check: "disconnect", status: "ok", message: "nothing was left behind" };
  });
}

function serverOf({ server, capabilities }: Broker): Finding {
  if (server !== undefined) return { check: "server", status: "ok", message: `${server.name} ${server.version}` };
  const message = capabilities.processes ? "there is none, or it does not say what it is" : "there is none";
  return { check: "server", status: "ok", message };
}

/** A message to a topic that nobody else has, and back. */
async function roundTrip(broker: Broker, timeoutMs: number, stop: AbortSignal): Promise<Finding> {
  const topic = `tidings.doctor.${randomBytes(8).toString("hex")}`;
  const arrived = deferred<void>();
  const timer = systemClock.after(timeoutMs, () => arrived.resolve());
  let came = false;
  const subscriber = await broker.subscribe(topic, () => {
    came = true;
    arrived.resolve();
  });
  try {
    const startedAt = performance.now();
    const { state } = await broker.publish(topic, { body: "a message from tidings doctor" }, { signal: stop });
    await abortable(arrived.promise, stop);
    if (came) {
      const message = `a message was published (${state}) and came back in ${sinceMs(startedAt)} ms`;
      return { check: "round trip", status: "ok", message };
    }
    return {
      check: "round trip",
      status: "failure",
      message: `a message was published (${state}) and did not come back within ${timeoutMs} ms`,
      advice: "Look at the server's log; allow more time with --timeout-ms.",
    };
  } finally {
    timer.cancel();
    await subscriber.unsubscribe();
  }
}

/** Queues that hold messages while nobody takes them. */
async function waiting(broker: Broker): Promise<Finding> {
  const queues = await broker.queues.list();
  const alone = queues.filter(({ members, messages }) => members === 0 && messages > 0);
  const count = `${queues.length} queue(s)`;
  if (alone.length === 0)
    return { check: "waiting", status: "ok", message: `${count}, none with messages and no member` };
  const names = named(alone.map(({ topic, queue, messages }) => `${queue} of ${topic} (${messages})`));
  return {
    check: "waiting",
    status: "warning",
    message: `${count}; with messages and no member: ${names}`,
    advice: "Start a member, or remove what nobody needs: tidings queues rm TOPIC QUEUE.",
  };
}

/** Messages that failed for good. */
async function failed(broker: Broker): Promise<Finding> {
  let topics: Awaited<ReturnType<typeof broker.deadLetters.topics>>;
  try {
    topics = await broker.deadLetters.topics();
  } catch (error) {
    if ((error as BrokerError).code !== "ERR_UNSUPPORTED") throw error;
    return { check: "failed", status: "ok", message: "dead letters are listed by topic only: tidings dlq ls TOPIC" };
  }
  if (topics.length === 0) return { check: "failed", status: "ok", message: "no dead letters" };
  return {
    check: "failed",
    status: "warning",
    message: `dead letters in ${named(topics.map(({ topic, messages }) => `${topic} (${messages})`))}`,
    advice: "See why with tidings dlq ls TOPIC; then mend the handler and tidings dlq redrive TOPIC.",
  };
}

function failure(check: string, { code, message }: BrokerError, { name }: Broker): Finding {
  return { check, status: "failure", message, code, advice: adviceFor(code, name) };
}

function named(all: readonly string[]): string {
  const more = all.length - MAX_NAMED;
  return all.slice(0, MAX_NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function sinceMs(startedAt: number): number {
  return Math.round(performance.now() - startedAt);
}
