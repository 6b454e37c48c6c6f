// A complete driver, small enough to read in one go. Its "server" is an object of this process.
import { EventEmitter, once } from "node:events";
import {
  BrokerError,
  type Capabilities,
  DEAD_LETTER_HEADERS,
  type DeadLetterAdmin,
  type DeadLetterChoice,
  type Driver,
  type DriverContext,
  type DriverDelivery,
  type DriverSubscription,
  isDeadLetterTopic,
  isPattern,
  matchesTopic,
  type Outcome,
  type Publication,
  type QueueAdmin,
  type SubscribeRequest,
  showDeadLetter,
  withoutDeadLetterHeader,
} from "tidings/driver";

// #region capabilities
export const postCapabilities: Capabilities = {
  guarantee: "at-least-once",
  durable: false, // the engine's memory is all there is
  processes: false, // and it is this process's
  mandatory: true,
  standingQueues: true,
  deadLetters: true,
  deadLetterMove: "publish", // the portable layer publishes a dead letter, and then acks its message
  ordered: true,
  keyAffinity: false,
  retryDelaysMs: "any",
  maxMessageBytes: null,
};
// #endregion

// #region engine
type Content = Pick<Publication, "topic" | "id" | "key" | "header" | "body" | "origin">;

/** One message for one box. */
interface Letter {
  readonly content: Content;
  readonly sequence: number;
  readonly keptAt: number;
  attempt: number;
  firstFailureAt: number | undefined;
}

/** Who takes letters out of a box. */
interface Member {
  box: Box;
  held: number;
  readonly prefetch: number;
  take(letter: Letter): void;
}

/** What waits for a queue, for one broadcast subscription, or for the readers of a dead-letter topic. */
interface Box {
  readonly id: string;
  readonly pattern: string;
  readonly kind: "queue" | "broadcast" | "standing";
  readonly queue: string | undefined;
  readonly waiting: Letter[];
  readonly members: Member[];
  /** Letters that it answers for: waiting, put off, and in a member's hands. */
  letters: number;
  delivering: boolean;
}

/** The engine: stands for a server that drivers of any process would connect to. */
export class PostOffice {
  readonly boxes: Map<string, Box> = new Map();
  readonly #settled = new EventEmitter().setMaxListeners(0);
  #sequence = 0;

  box(id: string, kind: Box["kind"], pattern: string, queue?: string): Box {
    const known = this.boxes.get(id);
    if (known !== undefined) return known;
    const box: Box = { id, kind, pattern, queue, waiting: [], members: [], letters: 0, delivering: false };
    this.boxes.set(id, box);
    return box;
  }

  /** Who wants a message on this topic: a dead letter always waits for its readers, too. */
  wanting(topic: string): Box[] {
    if (isDeadLetterTopic(topic)) this.box(standingId(topic), "standing", topic);
    return [...this.boxes.values()].filter((box) => matchesTopic(box.pattern, topic));
  }

  post(box: Box, content: Content): void {
    this.#sequence += 1;
    box.letters += 1;
    const letter = { content, sequence: this.#sequence, keptAt: Date.now(), attempt: 1, firstFailureAt: undefined };
    this.putBack(box, letter);
  }

  /** A box answers for so many letters less. */
  forget(box: Box, letters: number): void {
    box.letters -= letters;
    this.#settled.emit("settled");
  }

  /** Resolves when no box has a letter left. */
  async empty(signal: AbortSignal): Promise<void> {
    while ([...this.boxes.values()].some(({ letters }) => letters > 0))
      await once(this.#settled, "settled", { signal });
  }

  /** Puts a letter where it belongs in the order of publishing. */
  putBack(box: Box, letter: Letter): void {
    const next = box.waiting.findIndex((other) => other.sequence > letter.sequence);
    box.waiting.splice(next === -1 ? box.waiting.length : next, 0, letter);
    this.deliver(box);
  }

  /** Gives letters to members as far as they have room: to who holds least, in turns. */
  deliver(box: Box): void {
    if (box.delivering) return; // a member that settles at once comes back here
    box.delivering = true;
    for (;;) {
      const free = box.members.filter((member) => member.held < member.prefetch);
      const [member] = free.sort((one, other) => one.held - other.held);
      const letter = member === undefined ? undefined : box.waiting.shift();
      if (member === undefined || letter === undefined) break;
      box.members.push(...box.members.splice(box.members.indexOf(member), 1));
      member.held += 1;
      member.take(letter);
    }
    box.delivering = false;
  }
}

const queueId = (pattern: string, queue: string): string => JSON.stringify(["queue", pattern, queue]);
const standingId = (topic: string): string => JSON.stringify(["standing", topic]);
// #endregion

// #region factory
/** Options of {@link post}. */
export interface PostOptions {
  /** The engine to connect to. Brokers with the same one share messages. */
  office: PostOffice;
}

/** A driver on an engine within the process. */
export function post(options: PostOptions): Driver<PostOffice> {
  if (!(options?.office instanceof PostOffice))
    throw new BrokerError("ERR_INVALID_OPTION", "post takes { office: new PostOffice() }.", { driver: "post" });
  return new PostDriver(options.office);
}
// #endregion

// #region driver
class PostDriver implements Driver<PostOffice> {
  readonly name = "post";
  readonly capabilities = postCapabilities;
  readonly native: PostOffice;
  readonly queues: QueueAdmin;
  readonly deadLetters: DeadLetterAdmin;
  #context: DriverContext | undefined;

  constructor(office: PostOffice) {
    this.native = office;
    this.queues = queuesOf(office);
    this.deadLetters = deadLettersOf(office);
  }

  get address(): string {
    return this.#context === undefined ? "" : "post:";
  }

  async connect(context: DriverContext): Promise<void> {
    for (const option of ["storage", "secret", "tls", "registry"] as const)
      if (context.options[option] !== undefined)
        throw new BrokerError("ERR_UNSUPPORTED", `The post broker has no ${option}.`, { driver: this.name });
    this.#context = context;
  }

  publish(publications: readonly Publication[]): void {
    for (const publication of publications) {
      const { topic, id, key, header, body, origin } = publication;
      const boxes = this.native.wanting(topic);
      if (boxes.length === 0 && publication.mandatory) {
        publication.fail(new BrokerError("ERR_NO_SUBSCRIBERS", `Nobody subscribes to ${topic}.`, { topic }));
        continue;
      }
      for (const box of boxes) this.native.post(box, { topic, id, key, header, body, origin });
      publication.confirm(boxes.length === 0 ? "unrouted" : "stored");
    }
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    const { id, pattern, queue, prefetch } = request;
    const office = this.native;
    const box = boxFor(office, id, pattern, queue);
    const member: Member = {
      box,
      held: 0,
      prefetch,
      take: (letter) => request.deliver(deliveryOf(office, member, letter)),
    };
    box.members.push(member);
    office.deliver(box);
    return {
      async stop() {
        const { members } = member.box;
        if (members.includes(member)) members.splice(members.indexOf(member), 1);
      },
      async close() {
        if (box.kind !== "broadcast") return;
        office.boxes.delete(id);
        office.forget(box, box.letters);
      },
    };
  }

  /** The engine lives in this process, so that the process must wait for it. Where there is a server, leave this out. */
  flush(signal: AbortSignal): Promise<void> {
    return this.native.empty(signal);
  }

  async disconnect(): Promise<void> {
    this.#context = undefined;
  }
}

function boxFor(office: PostOffice, id: string, pattern: string, queue: string | undefined): Box {
  if (queue !== undefined) return office.box(queueId(pattern, queue), "queue", pattern, queue);
  const reads = isDeadLetterTopic(pattern) && !isPattern(pattern);
  return reads ? office.box(standingId(pattern), "standing", pattern) : office.box(id, "broadcast", pattern);
}
// #endregion

// #region settle
function deliveryOf(office: PostOffice, member: Member, letter: Letter): DriverDelivery {
  const { box } = member;
  const { topic, id, key, header, body } = letter.content;
  const { attempt, firstFailureAt } = letter;
  const settle = (outcome: Outcome): void => {
    member.held -= 1;
    switch (outcome.kind) {
      case "ack":
      case "dead": // with deadLetterMove "publish" only where the message is given up
        office.forget(box, 1);
        break;
      case "release":
        office.putBack(box, letter);
        break;
      case "retry": {
        const { delayMs } = outcome;
        const again = { ...letter, attempt: outcome.attempt, firstFailureAt: outcome.firstFailureAt };
        // The engine's own timer: a server does not keep its clients' processes alive.
        setTimeout(() => office.putBack(box, again), delayMs).unref();
      }
    }
    office.deliver(box);
  };
  return { topic, id, key, header, body, attempt, firstFailureAt, settle };
}
// #endregion

// #region queues
function queuesOf(office: PostOffice): QueueAdmin {
  return {
    async create(pattern, queue) {
      office.box(queueId(pattern, queue), "queue", pattern, queue);
    },
    async list() {
      const queues = [...office.boxes.values()].filter(({ kind }) => kind === "queue");
      return queues.map(({ pattern, queue = "", members, letters }) => {
        return { topic: pattern, queue, members: members.length, messages: letters };
      });
    },
    async remove(pattern, queue) {
      const id = queueId(pattern, queue);
      const old = office.boxes.get(id);
      if (old === undefined) return false;
      office.boxes.delete(id);
      office.forget(old, old.letters);
      // Members that live go on with an empty queue; what they still hold of the old one ends with it.
      if (old.members.length > 0) {
        const fresh = office.box(id, "queue", pattern, queue);
        for (const member of old.members.splice(0)) {
          member.box = fresh;
          fresh.members.push(member);
        }
      }
      return true;
    },
  };
}
// #endregion

// #region dead-letters
function deadLettersOf(office: PostOffice): DeadLetterAdmin {
  const waiting = (topic: string): readonly Letter[] => office.boxes.get(standingId(topic))?.waiting ?? [];

  /** Takes out, one by one, what was there at the call and where `take` says so. */
  const each = (
    topic: string,
    { ids, signal, onProgress }: DeadLetterChoice,
    take: (letter: Letter) => boolean,
  ): number => {
    const box = office.boxes.get(standingId(topic));
    let count = 0;
    for (const letter of [...waiting(topic)]) {
      if (box === undefined || signal?.aborted) break;
      if (ids?.has(letter.content.id) === false || !take(letter)) continue;
      box.waiting.splice(box.waiting.indexOf(letter), 1);
      office.forget(box, 1);
      count += 1;
      onProgress?.(count);
    }
    return count;
  };

  return {
    async topics() {
      const standing = [...office.boxes.values()].filter(({ kind, letters }) => kind === "standing" && letters > 0);
      return standing.map(({ pattern, letters }) => ({ topic: pattern, messages: letters }));
    },
    async list(topic) {
      return waiting(topic).map(({ content, keptAt }) => showDeadLetter({ ...content, keptAt }));
    },
    async redrive(topic, choice) {
      return each(topic, choice, ({ content }) => {
        const { origin } = content;
        const failed = origin?.queue === undefined ? origin?.subscriptionId : queueId(origin.pattern, origin.queue);
        const box = failed === undefined ? undefined : office.boxes.get(failed);
        if (box === undefined) return false; // gone: the dead letter stays to be seen
        const header = withoutDeadLetterHeader(content.header);
        office.post(box, {
          ...content,
          topic: content.header[DEAD_LETTER_HEADERS.topic] ?? box.pattern,
          header,
          origin: undefined,
        });
        return true;
      });
    },
    async drop(topic, choice) {
      return each(topic, choice, () => true);
    },
  };
}
// #endregion
