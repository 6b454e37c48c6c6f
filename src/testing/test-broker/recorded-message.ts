import type { Dead } from "../../driver.ts";
import type { Header } from "../../message.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a recorded message is made of. */
type Content = Pick<PublishedMessage, "topic" | "id" | "key" | "header" | "body">;

/** A message that was published, as `broker.published()` shows it. */
export class PublishedMessage {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  /** A copy: changing it changes nobody's message. */
  readonly body: Uint8Array;

  constructor({ topic, id, key, header, body }: Content) {
    this.topic = topic;
    this.id = id;
    this.key = key;
    this.header = Object.freeze(header);
    this.body = Uint8Array.prototype.slice.call(body);
  }

  /**
   * The body as UTF-8 text.
   * @throws TypeError where it is none
   */
  text(): string {
    return utf8.decode(this.body);
  }

  /**
   * The body as JSON.
   * @throws SyntaxError where it is none
   */
  // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse; a test knows what it expects
  json(): any {
    return JSON.parse(this.text());
  }
}

/** A message that became a dead letter, as `broker.deadLettered()` shows it; header and body are the message's own. */
export class DeadLetteredMessage extends PublishedMessage {
  /** The queue in which it failed; `undefined` for a broadcast subscription. */
  readonly queue: string | undefined;
  /** The topic that the dead letter went to. */
  readonly deadLetterTopic: string;
  readonly reason: string;
  /** How many handler starts it had. */
  readonly attempts: number;
  /** First and last failure, in virtual time. */
  readonly firstAt: Date;
  readonly lastAt: Date;

  constructor(content: Content, queue: string | undefined, deadLetterTopic: string, dead: Omit<Dead, "kind" | "to">) {
    super(content);
    this.queue = queue;
    this.deadLetterTopic = deadLetterTopic;
    this.reason = dead.reason;
    this.attempts = dead.attempts;
    this.firstAt = new Date(dead.firstAt);
    this.lastAt = new Date(dead.lastAt);
  }
}
