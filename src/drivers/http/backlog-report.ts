import { type BrokerError, wrapError } from "../../errors.ts";
import { type Clock, type Timer, wallTime } from "../../internal/clock.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Registration } from "../../registries/keep-registered.ts";
import type { Service } from "../../registry.ts";

/** How often the record is brought up to date, in milliseconds, where something has changed. */
const EVERY_MS = 5_000;

/** Two looks at one moment differ by a millisecond or two; by more than this only where the system's time was set, in milliseconds. */
const SAME_MOMENT_MS = 1_000;

/** What a {@link BacklogReport} works with. */
export interface BacklogReportParts {
  readonly registration: Registration;
  /** The process's record as it is without figures. */
  readonly record: Service;
  readonly outbox: Outbox;
  readonly clock: Clock;
  onError(error: BrokerError): void;
}

/**
 * Tells in a process's record what its outbox keeps on disk, for `tidings services`: `tidings-stored-messages`,
 * `tidings-stored-bytes`, and `tidings-stored-since`, when the oldest was published, in milliseconds since the epoch, to
 * within a second.
 */
export class BacklogReport {
  readonly #parts: BacklogReportParts;
  #told = "";
  /** The `tidings-stored-since` of the last look. */
  #since = Number.NaN;
  #timer: Timer | undefined;
  #closed = false;

  constructor(parts: BacklogReportParts) {
    this.#parts = parts;
  }

  /** Tells the figures of now, and from then on what has changed. */
  async start(): Promise<void> {
    await this.#tell();
    if (!this.#closed) this.#timer = this.#parts.clock.after(EVERY_MS, () => void this.start());
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #tell(): Promise<void> {
    const { registration, record, outbox, onError } = this.#parts;
    const figures: Record<string, string> = {
      "tidings-stored-messages": String(outbox.messages),
      "tidings-stored-bytes": String(outbox.bytes),
    };
    if (outbox.messages > 0) figures["tidings-stored-since"] = String(this.#oldestAt());
    const told = JSON.stringify(figures);
    if (told === this.#told) return;
    const nodes = record.nodes.map((node) => ({ ...node, metadata: { ...node.metadata, ...figures } }));
    try {
      await registration.update({ ...record, nodes });
      this.#told = told;
    } catch (error) {
      if (!this.#closed) onError(wrapError(error, "ERR_REGISTRY", "Telling what is stored failed"));
    }
  }

  #oldestAt(): number {
    const { outbox, clock } = this.#parts;
    const since = wallTime(clock, outbox.oldestAt);
    if (!(Math.abs(since - this.#since) < SAME_MOMENT_MS)) this.#since = since;
    return this.#since;
  }
}
