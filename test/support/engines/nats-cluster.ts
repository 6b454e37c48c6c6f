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
  /** Resolves when JetStream takes a stream with a copy on each server: after one came back, that takes a while. */
  untilWhole(): Promise<void>;
  /** Ends every server and removes its folder. */
  stop(): Promise<void>;
}

/** Starts private servers as one cluster, and waits until it is whole. */
export async function startNatsCluster(count = 3): Promise<NatsCluster> {
  return onFreePorts(async () => {
    const routes: number[] = [];
    for (let index = 0; index < count; index += 1) routes.push(await freePort());
    const name = `tidings-${process.pid}-${routes[0]}`;
    const servers: NatsEngine[] = [];
    const stop = async (): Promise<void> => {
      await Promise.all(servers.map((server) => server.stop()));
    };
    try {
      // One after the other: from 2.10 on, two that dial each other at once may both hang up, and stay apart.
      for (const port of routes) {
        const others = routes.filter((other) => other !== port);
        servers.push(await startNats({ cluster: { name, port, routes: others } }));
      }
      await untilWhole(addressesOf(servers));
    } catch (error) {
      await stop();
      throw error;
    }
    const addresses = addressesOf(servers);
    return { servers, addresses, untilWhole: () => untilWhole(addresses), stop };
  });
}

function addressesOf(servers: readonly NatsEngine[]): string[] {
  return servers.map(({ host, port }) => `${host}:${port}`);
}

/** The servers find each other, and a leader, one by one. */
async function untilWhole(addresses: readonly string[]): Promise<void> {
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
