import { randomUUID } from "node:crypto";
import type { Channel } from "amqplib";
import { BrokerError } from "../../errors.ts";
import type { Clock } from "../../internal/clock.ts";
import { type Deferred, deferred } from "../../internal/deferred.ts";
import { encodeOwn } from "./native-message.ts";
import type { PublishWindow } from "./publish-window.ts";
import { closeChannel, type Session } from "./session.ts";
import type { Topology } from "./topology.ts";
import { within } from "./within.ts";

/** How many entries the server may send ahead. */
const PREFETCH = 256;

/** What a {@link StreamLog} needs. */
export interface StreamLogHost {
  readonly kind: "records" | "excuses";
  readonly window: PublishWindow;
  readonly clock: Clock;
  /** The connection's topology, or the next one's while it is being restored. */
  topology(): Promise<{ readonly topology: Topology; readonly session: Session }>;
  /** Called with every entry, in order, those of this process included. */
  onEntry(entry: Record<string, unknown>, bytes: number): void;
}

/**
 * A log on the server that every process reads from its beginning and none consumes: a stream. Reading begins with the first
 * {@link sync} and goes on from where it was on the next connection.
 */
export class StreamLog {
  readonly #host: StreamLogHost;
  readonly #markers = new Map<string, Deferred<void>>();
  #declared: { readonly session: Session; readonly done: Promise<void> } | undefined;
  #readingOn: Session | undefined;
  #reading: Promise<void> | undefined;
  #nextOffset = 0;

  constructor(host: StreamLogHost) {
    this.#host = host;
  }

  /** Makes the stream where it is missing. */
  async prepare(): Promise<void> {
    const { topology, session } = await this.#host.topology();
    await this.#declare(topology, session);
  }

  /** Appends an entry; resolves when the server has it. */
  async append(entry: Readonly<Record<string, unknown>>): Promise<void> {
    const { topology, session } = await this.#host.topology();
    await this.#declare(topology, session);
    const { window, clock, kind } = this.#host;
    const name = topology.names[kind];
    for (let tries = 1; ; tries += 1) {
      if ((await within(clock, window.publish("", name, encodeOwn(entry)))) === "stored") return;
      if (tries === 2) throw new BrokerError("ERR_DRIVER", `The stream ${name} is gone.`, { driver: "rabbitmq" });
      await topology.stream(this.#host.kind);
    }
  }

  /** Resolves when every entry that was appended before, in any process, has been read. */
  async sync(): Promise<void> {
    const { topology, session } = await this.#host.topology();
    await this.#declare(topology, session);
    if (this.#readingOn !== session) {
      this.#readingOn = session;
      const reading = this.#read(topology, session);
      this.#reading = reading;
      // The caller has the error; the next one tries again.
      reading.catch(() => {
        if (this.#reading === reading) this.#readingOn = undefined;
      });
    }
    await this.#reading;
    if (this.#readingOn !== session) throw cut();
    const marker = randomUUID();
    const seen = deferred<void>();
    this.#markers.set(marker, seen);
    try {
      await within(this.#host.clock, Promise.all([this.append({ marker }), seen.promise]));
    } finally {
      this.#markers.delete(marker);
    }
  }

  async #declare(topology: Topology, session: Session): Promise<void> {
    if (this.#declared?.session !== session) {
      const declared = { session, done: topology.stream(this.#host.kind) };
      this.#declared = declared;
      // The caller has the error; the next one tries again.
      declared.done.catch(() => {
        if (this.#declared === declared) this.#declared = undefined;
      });
    }
    await this.#declared.done;
  }

  async #read(topology: Topology, session: Session): Promise<void> {
    const name = topology.names[this.#host.kind];
    const channel = await session.channel();
    channel.once("close", () => {
      if (this.#readingOn === session) this.#readingOn = undefined;
      for (const marker of this.#markers.values()) marker.reject(cut());
    });
    try {
      await channel.prefetch(PREFETCH);
      const from = this.#nextOffset === 0 ? "first" : this.#nextOffset;
      await channel.consume(name, (message) => this.#take(channel, message), {
        arguments: { "x-stream-offset": from },
      });
    } catch (error) {
      await closeChannel(channel);
      throw error;
    }
  }

  #take(channel: Channel, message: Parameters<Parameters<Channel["consume"]>[1]>[0]): void {
    // The stream was removed: it begins anew.
    if (message === null) {
      this.#nextOffset = 0;
      this.#declared = undefined;
      this.#readingOn = undefined;
      void closeChannel(channel);
      return;
    }
    channel.ack(message);
    const offset = Number(
      (message.properties.headers as Record<string, unknown> | undefined)?.["x-stream-offset"] ?? 0,
    );
    // The server begins with a whole chunk, which may hold older entries.
    if (offset < this.#nextOffset) return;
    this.#nextOffset = offset + 1;
    const entry = parse(message.content);
    if (typeof entry["marker"] === "string") this.#markers.get(entry["marker"])?.resolve();
    this.#host.onEntry(entry, message.content.byteLength);
  }
}

function cut(): BrokerError {
  return new BrokerError("ERR_CONNECTION_LOST", "The connection to RabbitMQ broke.", { driver: "rabbitmq" });
}

/** Somebody else's message in the stream is an entry that says nothing. */
function parse(content: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(content.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
