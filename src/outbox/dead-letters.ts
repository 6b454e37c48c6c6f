import { setImmediate } from "node:timers/promises";
import { DEAD_LETTER_HEADERS, showDeadLetter, withoutDeadLetterHeader } from "../dead-letter.ts";
import type { DeadLetterAdmin, DeadLetterChoice } from "../driver.ts";
import { wallTime } from "../internal/clock.ts";
import { messageBytes } from "../message.ts";
import type { Entry } from "./entry.ts";
import type { Lane } from "./lane.ts";
import { queueLaneId, standingLaneId } from "./lane-ids.ts";
import type { OutboxMessage } from "./message.ts";
import type { Outbox } from "./outbox.ts";

/** How many dead letters are worked on before others have their turn, and progress is told. */
const AT_ONCE = 256;

/** The dead letters that an outbox keeps: those in the standing queue of each dead-letter topic. */
export function outboxDeadLetters(outbox: Outbox): DeadLetterAdmin {
  const entriesOf = (topic: string, ids: DeadLetterChoice["ids"]): Entry[] => {
    const lane = outbox.lanes.get(standingLaneId(topic));
    if (lane === undefined) return [];
    return [...lane.entries()]
      .filter((entry) => ids === undefined || ids.has(entry.id))
      .sort((a, b) => a.message.sequence - b.message.sequence);
  };
  /** Does something with each of these; counts where it was done. Stops where the signal is aborted: the rest stays. */
  const each = async (
    entries: readonly Entry[],
    { signal, onProgress }: DeadLetterChoice,
    work: (entry: Entry) => boolean,
  ): Promise<number> => {
    let count = 0;
    for (const [index, entry] of entries.entries()) {
      if (index > 0 && index % AT_ONCE === 0) {
        onProgress?.(count);
        await setImmediate();
      }
      if (signal?.aborted) break;
      if (work(entry)) count += 1;
    }
    onProgress?.(count);
    return count;
  };
  return {
    async topics() {
      const standing = outbox.lanes.all().filter((lane) => lane.kind === "standing" && lane.size > 0);
      return standing.map((lane) => ({ topic: lane.pattern, messages: lane.size }));
    },
    async list(topic) {
      return entriesOf(topic, undefined).map(({ message }) => {
        const { id, header, body, publishedAt } = message;
        const keptAt = wallTime(outbox.clock, publishedAt);
        return showDeadLetter({ id, topic: message.topic, header, body, keptAt });
      });
    },
    redrive: (topic, choice) =>
      each(entriesOf(topic, choice.ids), choice, (entry) => {
        const { message } = entry;
        const lane = failedLane(outbox, message);
        // One that a reader holds is the reader's; one whose subscription is gone stays to be seen.
        if (lane === undefined || !entry.waits) return false;
        const header = withoutDeadLetterHeader(message.header);
        const content = {
          topic: message.header[DEAD_LETTER_HEADERS.topic] ?? lane.pattern,
          id: message.id,
          key: message.key,
          header,
          body: message.body,
        };
        const bytes = messageBytes(header, message.body);
        outbox.insert(lane, { ...content, bytes, origin: undefined }, message.owner);
        // Only then: whatever ends the process, one of the two is there.
        outbox.drop(entry);
        return true;
      }),
    drop: (topic, choice) => each(entriesOf(topic, choice.ids), choice, (entry) => outbox.drop(entry)),
  };
}

function failedLane(outbox: Outbox, { origin }: OutboxMessage): Lane | undefined {
  if (origin === undefined) return undefined;
  const id = origin.queue === undefined ? origin.subscriptionId : queueLaneId(origin.pattern, origin.queue);
  return id === undefined ? undefined : outbox.lanes.get(id);
}
