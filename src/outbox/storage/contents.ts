import { type LevelDatabase, readRecords } from "./level.ts";
import {
  type Adoption,
  decodeJson,
  decodeMessage,
  idOfKey,
  isSound,
  KIND,
  type Note,
  nameOfKey,
  type PartState,
  type StoredMessage,
} from "./record.ts";

/** A message that a part keeps. */
export interface KeptMessage {
  /** Its id in the part. */
  readonly journalId: number;
  readonly message: StoredMessage;
  /** What became of it, by the ids of the lanes for which there is something to say. */
  readonly notes: ReadonlyMap<string, Note>;
}

/** What a part holds. */
export interface PartContents {
  /** In the order of publishing. */
  readonly messages: KeptMessage[];
  /** When each queue had a member last, in milliseconds since the epoch, by the queue's lane id. */
  readonly queues: Map<string, number>;
  /** Parts that were taken over into this one, and may still be there: who had written into them last, by their names. */
  readonly adopted: Map<string, string | undefined>;
  readonly state: PartState;
  /** The highest id of a message that anything is known of. */
  readonly lastId: number;
  /** Why not everything that was written can be there; `undefined` where nothing says so. */
  readonly damage: string | undefined;
}

/** Reads an open part whole. What cannot be read is left out, and told as damage. */
export async function readContents(database: LevelDatabase): Promise<PartContents> {
  const messages: { journalId: number; message: StoredMessage; notes: Map<string, Note> }[] = [];
  const notes = new Map<number, Map<string, Note>>();
  const queues = new Map<string, number>();
  const adopted = new Map<string, string | undefined>();
  const found = { messages: 0, bytes: 0, low: 0, high: 0 };
  let stated: Partial<PartState> = {};
  let broken = 0;
  let lastId = 0;
  let failure: string | undefined;
  try {
    for await (const [key, value] of readRecords(database)) {
      if (!isSound(key, value)) {
        broken += 1;
        continue;
      }
      switch (key[0]) {
        case KIND.message: {
          const message = decodeMessage(value);
          if (message === undefined) {
            broken += 1;
            break;
          }
          const journalId = idOfKey(key);
          lastId = Math.max(lastId, journalId);
          messages.push({ journalId, message, notes: new Map() });
          found.messages += 1;
          found.bytes += message.bytes;
          found.low ^= journalId | 0;
          found.high ^= Math.floor(journalId / 2 ** 32);
          break;
        }
        case KIND.note: {
          const id = idOfKey(key);
          lastId = Math.max(lastId, id);
          const known = notes.get(id) ?? new Map<string, Note>();
          notes.set(id, known.set(nameOfKey(key), decodeJson<Note>(value)));
          break;
        }
        case KIND.queue:
          queues.set(nameOfKey(key), decodeJson<{ at: number }>(value).at ?? 0);
          break;
        case KIND.adopted:
          adopted.set(nameOfKey(key), writerOf(decodeJson<Adoption>(value)));
          break;
        case KIND.state:
          stated = decodeJson<PartState>(value);
          break;
        default:
          broken += 1;
      }
    }
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  return {
    messages: messages.map((kept) => ({ ...kept, notes: notes.get(kept.journalId) ?? kept.notes })),
    queues,
    adopted,
    state: { ...found, writer: writerOf(stated) },
    lastId,
    damage: failure ?? damageOf(broken, found, stated),
  };
}

function writerOf({ writer }: { readonly writer?: string | undefined }): string | undefined {
  return typeof writer === "string" ? writer : undefined;
}

function damageOf(broken: number, found: PartState, stated: Partial<PartState>): string | undefined {
  if (broken > 0) return `${broken} record(s) are not what was written`;
  const { messages = 0, low = 0, high = 0 } = stated;
  if (messages === found.messages && low === found.low && high === found.high) return undefined;
  return `it holds ${found.messages} message(s) where ${messages} were written`;
}

/** What two readings of a part found together; the second one wins where both know a message. */
export function merged(first: PartContents | undefined, second: PartContents): PartContents {
  if (first === undefined) return second;
  const byId = new Map([...first.messages, ...second.messages].map((kept) => [kept.journalId, kept]));
  return {
    ...second,
    messages: [...byId.values()].sort((left, right) => left.journalId - right.journalId),
    queues: new Map([...first.queues, ...second.queues]),
    adopted: new Map([...first.adopted, ...second.adopted]),
  };
}
