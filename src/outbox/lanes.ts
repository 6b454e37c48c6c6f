import { TopicIndex } from "../topic-index.ts";
import { isDeadLetterTopic } from "../topics.ts";
import type { Journal } from "./journal.ts";
import { Lane, type LaneKind } from "./lane.ts";
import { standingLaneId } from "./lane-ids.ts";
import type { Outbox } from "./outbox.ts";

/** The lanes of an outbox, by their ids and by the topics that they want. */
export class Lanes {
  readonly #outbox: Outbox;
  readonly #journal: Journal | undefined;
  readonly #byId = new Map<string, Lane>();
  readonly #index = new TopicIndex<Lane>();

  constructor(outbox: Outbox, journal: Journal | undefined) {
    this.#outbox = outbox;
    this.#journal = journal;
  }

  get(id: string): Lane | undefined {
    return this.#byId.get(id);
  }

  /** Whether a lane is one of them still. */
  has(lane: Lane): boolean {
    return this.#byId.get(lane.id) === lane;
  }

  /** All of this moment. */
  all(): readonly Lane[] {
    return [...this.#byId.values()];
  }

  /** The lane of this id, made if it is new. */
  open(id: string, kind: LaneKind, pattern: string, queue: string | undefined): Lane {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const lane = new Lane(id, kind, pattern, queue, this.#outbox);
    this.#byId.set(id, lane);
    this.#index.add(pattern, lane);
    this.#journal?.laneAdded(lane);
    return lane;
  }

  delete(lane: Lane): void {
    this.#byId.delete(lane.id);
    this.#index.remove(lane.pattern, lane);
  }

  /** Those that a topic's messages go to. A broadcast subscription that is leaving wants nothing new. */
  wanting(topic: string): readonly Lane[] {
    const lanes = this.#index.match(topic);
    return lanes.every(({ stays }) => stays) ? lanes : lanes.filter(({ stays }) => stays);
  }

  /** As `wanting`, for a message that comes: a dead-letter topic has its queue from its first message on. */
  destinations(topic: string): readonly Lane[] {
    if (isDeadLetterTopic(topic)) this.open(standingLaneId(topic), "standing", topic, undefined);
    return this.wanting(topic);
  }
}
