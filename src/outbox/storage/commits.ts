import { BrokerError } from "../../errors.ts";
import type { Clock, Timer } from "../../internal/clock.ts";
import type { OnStored } from "../journal.ts";
import { describeLevelError, isDiskFull, type LevelDatabase } from "./level.ts";
import { encodeJson, messageKey, type PartState, STATE_KEY } from "./record.ts";

/** A group is written once it has this many bytes, whatever else waits. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024;

/** How long after a failed write the next one is tried, in milliseconds. */
const RETRY_MS = 1_000;

/** One record that is written or removed. */
export interface Change {
  /** A number is the id of a message. */
  readonly key: Uint8Array | number;
  /** Nothing removes the record. */
  readonly value: Uint8Array | undefined;
  /** What it does to the part's count of messages. */
  readonly messages: 1 | 0 | -1;
  /** How many bytes such a message has. */
  readonly bytes: number;
  /**
   * For a change that may be refused: called when it is synced, or with the reason why it is not made. Such a change
   * begins a new step: what was told before it may be written without it.
   */
  readonly onStored: OnStored | undefined;
  /** For any other: called when it is written, or waits for a disk that fails. */
  readonly onWritten: (() => void) | undefined;
}

/** A change that counts no message, and of which nobody wants to hear. */
export function plainChange(key: Uint8Array | number, value: Uint8Array | undefined): Change {
  return { key, value, messages: 0, bytes: 0, onStored: undefined, onWritten: undefined };
}

/** What {@link Commits} work with. */
export interface CommitsParts {
  readonly database: LevelDatabase;
  /** Where it is, for errors. */
  readonly folder: string;
  readonly state: PartState;
  readonly whenFull: "reject" | "wait";
  readonly clock: Clock;
  onError(error: BrokerError): void;
}

/**
 * Writes changes in groups: whatever has come while one group was on its way to the disk is the next. A group is in the
 * database as a whole or not at all, in the order of the calls.
 *
 * A disk that fails: what may be refused is refused (with `whenFull: "wait"` and a full disk it waits), everything else is
 * kept and tried again. LevelDB must not go on in a log in which a write has failed, so that it is opened anew first.
 */
export class Commits {
  readonly #parts: CommitsParts;
  readonly #key = messageKey(0);
  #state: PartState;
  #pending: Change[] = [];
  /** What is to be done once the next group is on its way. */
  #later: (() => void)[] = [];
  #scheduled = false;
  #running: Promise<void> | undefined;
  #failure: BrokerError | undefined;
  #retry: Timer | undefined;
  #closed = false;

  constructor(parts: CommitsParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** How many messages the part keeps, as far as it is written. */
  get messages(): number {
    return this.#state.messages;
  }

  append(change: Change): void {
    const { onStored } = change;
    const refusal = this.#closed ? this.#endedError() : this.#waits ? undefined : this.#failure;
    if (onStored !== undefined && refusal !== undefined) return queueMicrotask(() => onStored(refusal)?.());
    this.#pending.push(change);
    this.#schedule();
  }

  /** Writes what is left, and stops. What cannot be written is refused or reported. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await this.#running;
    if (this.#failure !== undefined && this.#pending.length > 0) await this.#reopen();
    while (this.#failure === undefined && this.#pending.length > 0) await this.#write(true);
    this.#runLater();
    const left = this.#pending.splice(0);
    const error = this.#failure ?? this.#endedError();
    for (const { onStored } of left) onStored?.(error)?.();
    if (left.length > 0) this.#parts.onError(error);
  }

  /** Whether what is refused otherwise waits for room. */
  get #waits(): boolean {
    return this.#parts.whenFull === "wait" && this.#failure?.code === "ERR_BACKLOG_FULL";
  }

  #schedule(): void {
    if (this.#scheduled || this.#running !== undefined || this.#failure !== undefined || this.#closed) return;
    if (this.#pending.length === 0 && this.#later.length === 0) return;
    this.#scheduled = true;
    // Not at once: everything that this turn of the event loop brings goes into the same group.
    setImmediate(() => {
      this.#scheduled = false;
      const isFree = this.#running === undefined && this.#failure === undefined && !this.#closed;
      if (isFree && this.#pending.length > 0)
        this.#running = this.#write(false).finally(() => {
          this.#running = undefined;
          this.#schedule();
        });
      this.#runLater();
    });
  }

  /** Does what waited for the next group to be on its way. */
  #runLater(): void {
    const later = this.#later;
    this.#later = [];
    for (const run of later) run();
  }

  /** Writes one group, and never throws. */
  async #write(last: boolean): Promise<void> {
    const group = this.#takeGroup();
    const batch = this.#parts.database.batch();
    const { writer } = this.#state;
    let { messages, bytes, low, high } = this.#state;
    let sync = last;
    for (const change of group) {
      const { key: id, value } = change;
      // The batch copies what it is given, so that one key can serve all messages.
      const key = typeof id === "number" ? messageKey(id, this.#key) : id;
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
      if (change.onStored !== undefined) sync = true;
      if (change.messages === 0 || typeof id !== "number") continue;
      messages += change.messages;
      bytes += change.messages * change.bytes;
      low ^= id | 0;
      high ^= Math.floor(id / 2 ** 32);
    }
    const state = { messages, bytes, low, high, writer };
    batch.put(STATE_KEY, encodeJson(STATE_KEY, state));
    try {
      await batch.write({ sync });
    } catch (error) {
      return this.#failed(group, error);
    }
    this.#state = state;
    for (const { onStored, onWritten } of group) {
      const run = onStored?.(undefined);
      if (run !== undefined) this.#later.push(run);
      onWritten?.();
    }
  }

  #takeGroup(): readonly Change[] {
    const pending = this.#pending;
    let bytes = 0;
    let end = 0;
    for (; end < pending.length; end += 1) {
      const { value, onStored } = pending[end] as Change;
      if (bytes > MAX_GROUP_BYTES && onStored !== undefined) break;
      bytes += value?.byteLength ?? 0;
    }
    this.#pending = pending.slice(end);
    return end === pending.length ? pending : pending.slice(0, end);
  }

  #failed(group: readonly Change[], cause: unknown): void {
    const failure = this.#failureOf(cause);
    this.#failure = failure;
    const refused = this.#waits ? [] : [...group, ...this.#pending].filter(({ onStored }) => onStored !== undefined);
    const kept = (change: Change) => change.onStored === undefined || this.#waits;
    // Part of the group may be in the log all the same: what is refused must not come back from there.
    const undone = this.#waits ? [] : group.filter((change) => !kept(change));
    const later = [...undone.map(({ key }) => plainChange(key, undefined)), ...group.filter(kept)];
    this.#pending = [...later.map(withoutOnWritten), ...this.#pending.filter(kept)];
    this.#parts.onError(failure);
    for (const { onStored } of refused) onStored?.(failure)?.();
    for (const { onWritten } of group) onWritten?.();
    this.#armRetry();
  }

  #armRetry(): void {
    if (this.#closed) return;
    this.#retry = this.#parts.clock.after(RETRY_MS, () => {
      this.#running = this.#reopen().finally(() => {
        this.#running = undefined;
        if (this.#failure === undefined) this.#schedule();
        else this.#armRetry();
      });
    });
  }

  /** Opens the database anew, which replays what is whole of its log; never throws. */
  async #reopen(): Promise<void> {
    const { database } = this.#parts;
    try {
      await database.close();
      await database.open({ createIfMissing: false });
      this.#failure = undefined;
    } catch (error) {
      this.#failure = this.#failureOf(error);
    }
  }

  #failureOf(cause: unknown): BrokerError {
    const { folder } = this.#parts;
    if (isDiskFull(cause))
      return new BrokerError("ERR_BACKLOG_FULL", `The disk of the storage folder is full (${folder}).`, { cause });
    const message = `Writing to the storage folder failed (${folder}): ${describeLevelError(cause)}`;
    return new BrokerError("ERR_STORAGE", message, { cause, retryable: true });
  }

  #endedError(): BrokerError {
    return new BrokerError("ERR_NOT_CONNECTED", "The broker was disconnected before the message was stored.");
  }
}

// Whoever waits for a write is told once, and not again when the change is made at last.
function withoutOnWritten(change: Change): Change {
  return change.onWritten === undefined ? change : { ...change, onWritten: undefined };
}
