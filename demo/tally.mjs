// Counts what was published and received, by message id: nothing is assumed to have arrived.

/** What was published and received in one run. */
export class Tally {
  /** By topic: the names of those who each must get every message; members of a queue count as one. */
  #audience;
  /** By id: the topic and sequence number of a published message. */
  #published = new Map();
  /** By audience and id: how often it was received. */
  #received = new Map();
  /** By receiver: how often it received something. */
  #byReceiver = new Map();
  #sequences = [];

  constructor(audience) {
    this.#audience = audience;
  }

  published({ topic, id, sequence }) {
    this.#published.set(id, { topic, sequence });
  }

  /** `audience` is the receiver, or the queue that it is a member of. */
  received({ topic, id, sequence, receiver, audience }) {
    const key = `${audience} ${id}`;
    this.#received.set(key, (this.#received.get(key) ?? 0) + 1);
    this.#byReceiver.set(receiver, (this.#byReceiver.get(receiver) ?? 0) + 1);
    this.#sequences.push({ topic, id, sequence });
  }

  /** How many deliveries a receiver had. */
  of(receiver) {
    return this.#byReceiver.get(receiver) ?? 0;
  }

  /** Whether everybody has everything that was published. */
  get complete() {
    return this.summary().lost === 0;
  }

  /**
   * The result. `received` counts each message once for each of its audience; `lost` is what of that is missing, and
   * `duplicates` what came more than once. Messages of other programs on the same topics are left out.
   */
  summary() {
    const received = Object.fromEntries(Object.keys(this.#audience).map((topic) => [short(topic), 0]));
    let lost = 0;
    let duplicates = 0;
    for (const [id, { topic }] of this.#published) {
      for (const audience of this.#audience[topic]) {
        const times = this.#received.get(`${audience} ${id}`) ?? 0;
        if (times === 0) lost += 1;
        else received[short(topic)] += 1;
        duplicates += Math.max(0, times - 1);
      }
    }
    return { published: this.#published.size, received, lost, duplicates };
  }

  /** What cannot be: messages that arrived on another topic, or with another number, than they were published with. */
  mixups() {
    return this.#sequences.filter(({ topic, id, sequence }) => {
      const sent = this.#published.get(id);
      return sent !== undefined && (sent.topic !== topic || sent.sequence !== sequence);
    });
  }
}

/** `pubsub.1` for `example.topic.pubsub.1`. */
function short(topic) {
  return topic.split(".").slice(-2).join(".");
}
