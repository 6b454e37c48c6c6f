import type { ChannelModel, Options, SocketOptions } from "amqplib";
import { BrokerError } from "../../errors.ts";

/** The range of amqplib that the driver is tested with. */
const RANGE = "^2.3.1";

/** What the driver uses of the client package. */
export interface Client {
  connect(server: Options.Connect, socket: SocketOptions & { readonly highWaterMark: number }): Promise<ChannelModel>;
}

/**
 * Loads the client, which only those need who use this driver.
 * @throws BrokerError `ERR_MISSING_DEPENDENCY`
 */
export async function loadClient(load: () => Promise<unknown> = () => import("amqplib")): Promise<Client> {
  let loaded: unknown;
  try {
    loaded = await load();
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new BrokerError(
      "ERR_MISSING_DEPENDENCY",
      `The RabbitMQ broker needs the package amqplib (${RANGE}). Install it with: npm install amqplib@${RANGE}`,
      { driver: "rabbitmq", cause },
    );
  }
  const { connect, default: whole } = loaded as Partial<Client> & { default?: Client };
  return connect === undefined ? (whole as Client) : { connect };
}
