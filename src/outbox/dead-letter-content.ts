import { deadLetterHeader } from "../dead-letter.ts";
import type { Dead } from "../driver.ts";
import { messageBytes } from "../message.ts";
import type { Entry } from "./entry.ts";
import type { MessageContent } from "./message.ts";

/** The message that a failed one becomes on the topic `to`. */
export function deadLetterContent({ message, lane }: Entry, dead: Dead, to: string): MessageContent {
  const header = deadLetterHeader(message.header, message.topic, lane.queue, dead);
  const origin = {
    pattern: lane.pattern,
    queue: lane.queue,
    subscriptionId: lane.kind === "broadcast" ? lane.id : undefined,
  };
  const { id, key, body } = message;
  return { topic: to, id, key, header, body, bytes: messageBytes(header, body), origin };
}
