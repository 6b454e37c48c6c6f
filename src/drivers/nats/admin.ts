import { DEAD_LETTER_HEADERS, withoutDeadLetterHeader } from "../../dead-letter.ts";
import type { DeadLetter, DeadLetterAdmin, QueueAdmin, QueueInfo } from "../../driver.ts";
import type { Census } from "./census.ts";
import type { NatsClient } from "./client.ts";
import type { ConsumerInfo, JetStream, StoredMessage } from "./jetstream.ts";
import { decodeHeader, encodeHeader, type NativeMessage } from "./native-header.ts";
import { broadcastName, queueName } from "./subjects.ts";
import { purposeOf, type Topology } from "./topology.ts";

/** The queues of a prefix: each is a consumer. */
export function natsQueues(jetstream: JetStream, topology: Topology, census: Census): QueueAdmin {
  const stream = topology.names.messages;
  return {
    async create(pattern, queue) {
      await topology.ensureConsumer(topology.queue(pattern, queue));
    },
    async list() {
      const [consumers, members] = await Promise.all([listConsumers(jetstream, stream), census.count()]);
      return consumers.flatMap((info): QueueInfo[] => {
        const { pattern, queue } = purposeOf(info) ?? {};
        if (pattern === undefined || queue === undefined) return [];
        const messages = info.num_pending + info.num_ack_pending;
        return [{ topic: pattern, queue, members: members.get(info.name) ?? 0, messages }];
      });
    },
    remove: (pattern, queue) => topology.removeConsumer(stream, queueName(pattern, queue)),
  };
}

/** The dead letters of a prefix: the messages of one stream. */
export function natsDeadLetters(client: NatsClient, jetstream: JetStream, topology: Topology): DeadLetterAdmin {
  const { names } = topology;

  async function* lettersOf(topic: string, id: string | undefined): AsyncGenerator<Letter> {
    for (let seq = 1; ; ) {
      const body = { seq, next_by_subj: names.standing(topic) };
      const found = await jetstream.find<{ readonly message: StoredMessage }>(`STREAM.MSG.GET.${names.dead}`, body);
      if (found === undefined) return;
      const { message } = found;
      const native = decodeHeader({
        get headers() {
          return parseHeaders(client, message.hdrs);
        },
      });
      const letter = { message, native, id: native.id ?? `${names.dead}-${message.seq}` };
      if (id === undefined || letter.id === id) yield letter;
      seq = message.seq + 1;
    }
  }

  async function remove(seq: number): Promise<boolean> {
    return (await jetstream.find<object>(`STREAM.MSG.DELETE.${names.dead}`, { seq, no_erase: true })) !== undefined;
  }

  return {
    async list(topic) {
      const letters: DeadLetter[] = [];
      for await (const letter of lettersOf(topic, undefined)) letters.push(describe(letter, topic));
      return letters;
    },
    async redrive(topic, { id }) {
      let count = 0;
      const alive = new Map<string, Promise<boolean>>();
      const exists = async (name: string): Promise<boolean> =>
        (await jetstream.find<ConsumerInfo>(`CONSUMER.INFO.${names.messages}.${name}`)) !== undefined;
      for await (const { message, native, id: own } of lettersOf(topic, id)) {
        const to = consumerOf(native);
        if (to === undefined) continue;
        const lives = alive.get(to) ?? exists(to);
        alive.set(to, lives);
        // One whose queue or subscription is gone stays to be seen.
        if (!(await lives)) continue;
        const header = withoutDeadLetterHeader(native.header);
        const from = native.header[DEAD_LETTER_HEADERS.topic] ?? topic;
        // Two who redrive the same dead letter at once send it once.
        const publishId = `redrive-${message.seq}-${message.time}`;
        const headers = encodeHeader(client, { id: own, key: native.key, header, origin: undefined }, publishId);
        await jetstream.publish(names.topic(from, to), Buffer.from(message.data ?? "", "base64"), headers);
        if (await remove(message.seq)) count += 1;
      }
      return count;
    },
    async drop(topic, { id }) {
      let count = 0;
      for await (const { message } of lettersOf(topic, id)) if (await remove(message.seq)) count += 1;
      return count;
    },
  };
}

interface Letter {
  readonly message: StoredMessage;
  readonly native: NativeMessage;
  readonly id: string;
}

/** The consumer in which a message failed. */
function consumerOf({ origin }: NativeMessage): string | undefined {
  if (origin?.queue !== undefined) return queueName(origin.pattern, origin.queue);
  return origin?.subscriptionId === undefined ? undefined : broadcastName(origin.subscriptionId);
}

function describe({ message, native, id }: Letter, topic: string): DeadLetter {
  const { header } = native;
  const queue = header[DEAD_LETTER_HEADERS.queue];
  return {
    id,
    topic: header[DEAD_LETTER_HEADERS.topic] ?? topic,
    queue: queue === "" ? undefined : queue,
    reason: header[DEAD_LETTER_HEADERS.reason] ?? "",
    attempts: Number(header[DEAD_LETTER_HEADERS.attempts] ?? 0),
    firstAt: new Date(header[DEAD_LETTER_HEADERS.first] ?? message.time),
    lastAt: new Date(header[DEAD_LETTER_HEADERS.last] ?? message.time),
    header: withoutDeadLetterHeader(header),
    body: Buffer.from(message.data ?? "", "base64"),
  };
}

async function listConsumers(jetstream: JetStream, stream: string): Promise<ConsumerInfo[]> {
  const consumers: ConsumerInfo[] = [];
  for (;;) {
    const page = await jetstream.call<{ total: number; consumers: ConsumerInfo[] | null }>(`CONSUMER.LIST.${stream}`, {
      offset: consumers.length,
    });
    consumers.push(...(page.consumers ?? []));
    if ((page.consumers ?? []).length === 0 || consumers.length >= page.total) return consumers;
  }
}

/** Reads native headers as the API gives them: base64 of `NATS/1.0` and lines. */
function parseHeaders(client: NatsClient, base64: string | undefined): ReturnType<NatsClient["headers"]> {
  const native = client.headers();
  for (const line of Buffer.from(base64 ?? "", "base64")
    .toString()
    .split("\r\n")
    .slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) native.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return native;
}
