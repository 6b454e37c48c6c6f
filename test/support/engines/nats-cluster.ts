import { connect, type NatsConnection } from "@nats-io/transport-node";
import { until } from "../../../src/testing/index.ts";
import { freePort } from "./free-port.ts";
import { type NatsEngine, startNats } from "./nats.ts";
import { onFreePorts } from "./on-free-ports.ts";

/** Servers that form one cluster, with JetStream on each. */
export interface NatsCluster {
  readonly servers: readonly NatsEngine[];
  /** All of them, as `nats({ servers })` takes them. */
  readonly addresses: readonly string[];
  /** Ends every server and removes its folder. */
  stop(): Promise<void>;
}

/** Starts private servers as one cluster. Resolves when JetStream takes a stream with a copy on each. */
export async function startNatsCluster(count = 3): Promise<NatsCluster> {
  return onFreePorts(async () => {
    const routes: number[] = [];
    for (let index = 0; index < count; index += 1) routes.push(await freePort());
    const name = `tidings-${process.pid}-${routes[0]}`;
    const started = await Promise.allSettled(routes.map((port) => startNats({ cluster: { name, port, routes } })));
    const servers = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const addresses = servers.map(({ host, port }) => `${host}:${port}`);
    const stop = async (): Promise<void> => {
      await Promise.all(servers.map((server) => server.stop()));
    };
    try {
      for (const one of started) if (one.status === "rejected") throw one.reason;
      await untilComplete(addresses);
    } catch (error) {
      await stop();
      throw error;
    }
    return { servers, addresses, stop };
  });
}

/** The servers find each other, and a leader, one by one. */
async function untilComplete(addresses: readonly string[]): Promise<void> {
  const connection = await connect({ servers: [...addresses] });
  const name = "tidings-every-server";
  const stream = { name, subjects: [name], num_replicas: addresses.length };
  try {
    await until(async () => (await answered(connection, `STREAM.CREATE.${name}`, stream)) === "done", {
      what: "a stream has a copy on every server",
      deadlineMs: 30_000,
    });
    await answered(connection, `STREAM.DELETE.${name}`, {});
  } finally {
    await connection.close();
  }
}

/** What JetStream says to a call; without a leader it says nothing. */
async function answered(connection: NatsConnection, call: string, body: object): Promise<string> {
  const answer = await connection
    .request(`$JS.API.${call}`, JSON.stringify(body), { timeout: 2_000 })
    .catch((error: Error) => error);
  if (answer instanceof Error) return answer.message;
  return answer.json<{ error?: { description: string } }>().error?.description ?? "done";
}
