// JetStream with its client alone: the stream and the consumer are as Tidings makes them, publishes wait for their answer, and
// each message is acknowledged.
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { connect, nanos, nuid } from "@nats-io/transport-node";
import { CONCURRENCY } from "../contestants.mjs";
import { HEADER } from "./header.mjs";
import { decode, encode } from "./nats-headers.mjs";

const STREAM = "bench-raw";
const QUEUE = "bench";
const SUBJECT = "bench-raw.message";

/** A receiving process, one of those that share a consumer. */
export function receive(meter, servers) {
  return consume(meter, servers, QUEUE);
}

/** The same with receiving processes that have a consumer each. */
export const broadcast = {
  receive: (meter, servers) => consume(meter, servers, `bench-${process.pid}`),
  openSender,
};

async function consume(meter, servers, name) {
  const connection = await connect({ servers });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: STREAM,
    subjects: [`${STREAM}.>`],
    retention: RetentionPolicy.Interest,
    storage: StorageType.File,
    duplicate_window: nanos(120_000),
    max_msgs: 1_000_000,
    max_bytes: 1024 ** 3,
  });
  await manager.consumers.add(STREAM, {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.New,
    filter_subject: SUBJECT,
    ack_wait: nanos(10_000),
    max_ack_pending: -1,
  });
  const consumer = await jetstream(connection).consumers.get(STREAM, name);
  await consumer.consume({
    max_messages: CONCURRENCY,
    callback: (message) => {
      meter.receivedWith(decode(message.headers).header, message.data);
      message.ack();
    },
  });
}

/** The sending process. */
export async function openSender(_ready, servers) {
  const client = jetstream(await connect({ servers }));
  const session = nuid.next();
  let count = 0;
  return {
    send(body) {
      count += 1;
      return client.publish(SUBJECT, body, { headers: encode(HEADER), msgID: `${session}-${count}` });
    },
  };
}
