import { BrokerError } from "../../errors.ts";
import { API_CODES, type ApiError, type StreamConfig } from "./jetstream.ts";

/**
 * The first server whose replicated streams were seen to keep each message until every consumer has acked it. 2.9.10 drops some
 * before, in a cluster that nothing happens to.
 */
const REPLICAS_SINCE = "2.9.25";

/**
 * Checks that the server keeps what is in a stream of several copies.
 * @throws BrokerError `ERR_UNSUPPORTED`
 */
export function checkReplicas({ name, num_replicas: copies }: StreamConfig, serverVersion: string | undefined): void {
  if (copies <= 1 || serverVersion === undefined || !isBefore(serverVersion, REPLICAS_SINCE)) return;
  const message = `The stream ${name} cannot have ${copies} replicas on nats-server ${serverVersion}, which would lose messages of it: that needs ${REPLICAS_SINCE} or newer, or replicas: 1.`;
  throw new BrokerError("ERR_UNSUPPORTED", message, { driver: "nats" });
}

/** What it means that a stream was refused, where that is for the number of its copies. */
export function replicasError(
  { name, num_replicas: copies }: StreamConfig,
  refusal: ApiError | undefined,
): BrokerError | undefined {
  const options = { driver: "nats", cause: refusal };
  if (refusal?.err_code === API_CODES.notClustered) {
    const message = `The NATS server is in no cluster: the stream ${name} cannot have ${copies} replicas.`;
    return new BrokerError("ERR_UNSUPPORTED", message, options);
  }
  if (refusal?.err_code !== API_CODES.noPeers) return undefined;
  // Servers that are down, or that have only begun to find each other, may take one later.
  const message = `Too few servers of the NATS cluster can take the ${copies} replicas of the stream ${name}: ${refusal.description}.`;
  return new BrokerError("ERR_CONNECT_FAILED", message, options);
}

/** Whether one version such as `2.9.10`, or `2.10.0-beta.1`, comes before another. */
function isBefore(version: string, other: string): boolean {
  const [has, wanted] = [version, other].map((text) => text.split(/[.-]/, 3).map(Number));
  for (const [index, number] of (wanted ?? []).entries()) {
    const difference = (has?.[index] ?? 0) - number;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
