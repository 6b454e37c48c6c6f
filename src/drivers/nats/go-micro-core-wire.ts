/**
 * go-micro's way on core NATS: the subject is the topic, the queue group the queue, and the payload its JSON envelope; native
 * headers are not used. Source: go-micro's `broker/nats` of v1.18 to v6 and micro/plugins'.
 */
import { readEnvelope, writeEnvelope } from "../../codecs/go-micro-envelope.ts";
import { goMicroId } from "../../codecs/go-micro-headers.ts";
import { BrokerError } from "../../errors.ts";
import { EMPTY_HEADER } from "../../message.ts";
import { isTopic, matchesTopic } from "../../topics.ts";
import type { CoreWire } from "./core-wire.ts";

const NO_BODY = new Uint8Array(0);

const utf8 = new TextDecoder("utf-8");

/** The wire of `wire: "go-micro"`. The message's id and key do not travel, but for an id that is a header of it. */
export const goMicroCoreWire: CoreWire = {
  subject(pattern) {
    if (!/[\s\p{Cc}]/u.test(pattern)) return pattern;
    throw new BrokerError(
      "ERR_INVALID_TOPIC",
      `go-micro's subject for ${JSON.stringify(pattern)} would be the topic itself, and NATS has no subjects with spaces or control characters.`,
      { driver: "nats+core", topic: pattern },
    );
  },
  // Others use the server's subjects as well: what is no topic, or a dead letter's, no pattern of ours means.
  topic: (subject, pattern) => (isTopic(subject) && matchesTopic(pattern, subject) ? subject : undefined),
  group: (_pattern, queue) => queue,
  encode({ header, body }, room) {
    const payload = writeEnvelope(header, body);
    const bytes = Buffer.byteLength(payload);
    return { payload, headers: undefined, bytesBeyond: bytes > room ? bytes : undefined };
  },
  decode(message) {
    try {
      const { header, body } = readEnvelope(utf8.decode(message.data));
      return { id: goMicroId(header), key: undefined, header, body };
    } catch (error) {
      const broken = `it is not go-micro's envelope: ${(error as Error).message}`;
      return { id: undefined, key: undefined, header: EMPTY_HEADER, body: NO_BODY, broken };
    }
  },
};
