import type { ChannelModel, Options, SocketOptions } from "amqplib";
import { loadOptional } from "../../optional-package.ts";

/** The client package, an optional peer. */
const PACKAGE = { name: "amqplib", range: "^2.3.1", neededBy: "The RabbitMQ broker", driver: "rabbitmq" };

/** What the driver uses of the client package. */
export interface Client {
  connect(server: Options.Connect, socket: SocketOptions & { readonly highWaterMark: number }): Promise<ChannelModel>;
}

/**
 * Loads the client, which only those need who use this driver.
 * @throws BrokerError `ERR_MISSING_DEPENDENCY`
 */
export async function loadClient(load: () => Promise<unknown> = () => import("amqplib")): Promise<Client> {
  const loaded = await loadOptional(PACKAGE, load);
  const { connect, default: whole } = loaded as Partial<Client> & { default?: Client };
  return connect === undefined ? (whole as Client) : { connect };
}
