import { DEAD_LETTER_HEADERS, showDeadLetter, withoutDeadLetterHeader } from "../../dead-letter.ts";
import type {
  DeadLetter,
  DeadLetterAdmin,
  DeadLetterChoice,
  DeadLetterTopic,
  QueueAdmin,
  QueueInfo,
} from "../../driver.ts";
import type { Census } from "./census.ts";
import type { NatsClient } from "./client.ts";
import type { ConsumerInfo, JetStream, StoredMessage, StreamInfo } from "./jetstream.ts";
import { decodeHeader, type NativeMessage, writeHeaders } from "./native-header.ts";
import { broadcastName, queueName } from "./subjects.ts";
import { purposeOf, type Topology } from "./topology.ts";

/** The queues of a prefix: each is a consumer. */
export function natsQueues(jetstream: JetStream, topology: Topology, census: Census): QueueAdmin {
  const { names } = topology;
  return {
    async create(pattern, queue) {
      await topology.ensureConsumer(topology.queue(pattern, queue));
    },
    async list() {
      const streams = [names.messages, names.copies].map((stream) => listConsumers(jetstream, stream));
      const [members, ...consumers] = await Promise.all([census.count(), ...streams]);
      return consumers.flat().flatMap((info): QueueInfo[] => {
        const { pattern, queue } = purposeOf(info) ?? {};
        if (pattern === undefined || queue === undefined) return [];
        const messages = info.num_pending + info.num_ack_pending;
        return [{ topic: pattern, queue, members: members.get(info.name) ?? 0, messages }];
      });
    },
    remove: (pattern, queue) => topology.removeConsumer(names.streamOf(pattern), queueName(pattern, queue)),
  };
}

/** The dead letters of a prefix: the messages of one stream. */
export function natsDeadLetters(client: NatsClient, jetstream: JetStream, topology: Topology): DeadLetterAdmin {
  const { names } = topology;

  /** Where somebody removed the stream there are no dead letters. */
  const info = async (page: object): Promise<Pick<StreamInfo, "state" | "total">> =>
    (await jetstream.find<StreamInfo>(`STREAM.INFO.${names.dead}`, page)) ?? { state: { last_seq: 0 } };

  /** Those that are there at the call: one that fails again meanwhile is a new one. */
  async function* lettersOf(topic: string, ids: DeadLetterChoice["ids"]): AsyncGenerator<Letter> {
    const { last_seq: last } = (await info({})).state;
    for (let seq = 1; seq <= last; ) {
      const body = { seq, next_by_subj: names.standing(topic) };
      const found = await jetstream.find<{ readonly message: StoredMessage }>(`STREAM.MSG.GET.${names.dead}`, body);
      if (found === undefined) return;
      const { message } = found;
      if (message.seq > last) return;
      const native = decodeHeader({
        get headers() {
          return parseHeaders(client, message.hdrs);
        },
      });
      const letter = { message, native, id: native.id ?? `${names.dead}-${message.seq}` };
      if (ids === undefined || ids.has(letter.id)) yield letter;
      seq = message.seq + 1;
    }
  }

  async function remove(seq: number): Promise<boolean> {
    return (await jetstream.find<object>(`STREAM.MSG.DELETE.${names.dead}`, { seq, no_erase: true })) !== undefined;
  }

  /** Does something with each; counts where it was done. Stops where the signal is aborted: the rest stays. */
  async function each(
    topic: string,
    { ids, signal, onProgress }: DeadLetterChoice,
    work: (letter: Letter) => Promise<boolean>,
  ): Promise<number> {
    let count = 0;
    for await (const letter of lettersOf(topic, ids)) {
      if (signal?.aborted) break;
      if (!(await work(letter))) continue;
      count += 1;
      onProgress?.(count);
    }
    return count;
  }

  return {
    async topics() {
      const topics: DeadLetterTopic[] = [];
      for (let offset = 0; ; ) {
        const { state, total = 0 } = await info({ subjects_filter: ">", offset });
        const subjects = Object.entries(state.subjects ?? {});
        for (const [subject, messages] of subjects) {
          const topic = names.parse(subject)?.topic;
          if (topic !== undefined) topics.push({ topic, messages });
        }
        offset += subjects.length;
        if (subjects.length === 0 || offset >= total) return topics;
      }
    },
    async list(topic) {
      const letters: DeadLetter[] = [];
      for await (const letter of lettersOf(topic, undefined)) letters.push(shown(letter, topic));
      return letters;
    },
    redrive(topic, choice) {
      const alive = new Map<string, Promise<boolean>>();
      const exists = async (consumer: string): Promise<boolean> =>
        (await jetstream.find<ConsumerInfo>(`CONSUMER.INFO.${consumer}`)) !== undefined;
      return each(topic, choice, async ({ message, native, id }) => {
        const to = consumerOf(native);
        if (to === undefined) return false;
        const consumer = `${names.streamOf(native.origin?.pattern ?? topic)}.${to}`;
        const lives = alive.get(consumer) ?? exists(consumer);
        alive.set(consumer, lives);
        // One whose queue or subscription is gone stays to be seen.
        if (!(await lives)) return false;
        const header = withoutDeadLetterHeader(native.header);
        const from = native.header[DEAD_LETTER_HEADERS.topic] ?? topic;
        // Two who redrive the same dead letter at once send it once.
        const publishId = `redrive-${message.seq}-${message.time}`;
        const headers = writeHeaders({ id, key: native.key, header, origin: undefined }, publishId);
        await jetstream.publish(names.topic(from, to), Buffer.from(message.data ?? "", "base64"), headers);
        return remove(message.seq);
      });
    },
    drop: (topic, choice) => each(topic, choice, ({ message }) => remove(message.seq)),
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

function shown({ message, native: { header }, id }: Letter, topic: string): DeadLetter {
  const body = Buffer.from(message.data ?? "", "base64");
  return showDeadLetter({ id, topic, header, body, keptAt: Date.parse(message.time) });
}

async function listConsumers(jetstream: JetStream, stream: string): Promise<ConsumerInfo[]> {
  const consumers: ConsumerInfo[] = [];
  for (;;) {
    const page = await jetstream.find<{ total: number; consumers: ConsumerInfo[] | null }>(`CONSUMER.LIST.${stream}`, {
      offset: consumers.length,
    });
    // Somebody removed the stream.
    if (page === undefined) return consumers;
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
