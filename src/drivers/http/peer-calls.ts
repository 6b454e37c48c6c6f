import { type Deferred, deferred } from "../../internal/deferred.ts";
import type { ByteReader } from "./wire/byte-reader.ts";
import { ANSWER_PART_BYTES, FRAME, WireError } from "./wire/frames.ts";
import type { WireConnection } from "./wire/wire-connection.ts";

/** The longest name and argument of a call, in bytes. */
const MAX_CALL_BYTES = 64 * 1024;

/** The largest answer that is read, in bytes; it may hold many dead letters. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** Flags of an answer. */
const FLAG = { more: 1, failed: 2 } as const;

/** Room for the numbers of a call or an answer, in bytes. */
const FIXED_BYTES = 32;

/** A call that waits for its answer. */
interface Pending {
  readonly answer: Deferred<unknown>;
  readonly parts: Buffer[];
  bytes: number;
}

/** Calls on one connection, both ways: a name and JSON one way, JSON the other. And pings, which ask for nothing but an answer. */
export class PeerCalls {
  readonly #connection: WireConnection;
  readonly #answer: (name: string, argument: unknown) => Promise<unknown>;
  readonly #calls = new Map<number, Pending>();
  readonly #pings = new Map<number, Deferred<void>>();
  #next = 1;

  /** @param answer answers the other side's calls. */
  constructor(connection: WireConnection, answer: (name: string, argument: unknown) => Promise<unknown>) {
    this.#connection = connection;
    this.#answer = answer;
  }

  /** Whether an answer is waited for. */
  get busy(): boolean {
    return this.#calls.size + this.#pings.size > 0;
  }

  /** Calls the other side. Rejects with what it says went wrong, or when the connection is lost. */
  call(name: string, argument: unknown): Promise<unknown> {
    const id = this.#next++;
    const pending: Pending = { answer: deferred(), parts: [], bytes: 0 };
    this.#calls.set(id, pending);
    const { writer } = this.#connection;
    const json = JSON.stringify(argument);
    writer.begin(FRAME.call, FIXED_BYTES + (name.length + json.length) * 3);
    writer.number(id);
    writer.text(name);
    writer.restText(json);
    writer.finish();
    this.#connection.schedule();
    return pending.answer.promise;
  }

  /** Resolves when the other side has taken note of everything that was sent before. Rejects when the connection is lost. */
  ping(): Promise<void> {
    const token = this.#next++;
    const answer = deferred<void>();
    this.#pings.set(token, answer);
    this.#connection.writer.numbers(FRAME.ping, token);
    this.#connection.schedule();
    return answer.promise;
  }

  /** Takes a frame of a call. Returns whether it was one. */
  frame(type: number, reader: ByteReader): boolean {
    if (type === FRAME.ping) {
      this.#connection.writer.numbers(FRAME.pong, reader.number());
      this.#connection.schedule();
    } else if (type === FRAME.pong) this.#onPong(reader.number());
    else if (type === FRAME.call) this.#onCall(reader);
    else if (type === FRAME.answer) this.#onAnswer(reader);
    else return false;
    return true;
  }

  /** The connection is lost, and every answer with it. */
  close(error: Error): void {
    const waiting = [...this.#pings.values(), ...[...this.#calls.values()].map(({ answer }) => answer)];
    this.#pings.clear();
    this.#calls.clear();
    for (const { promise, reject } of waiting) {
      promise.catch(() => {
        // Told to whoever still waits for it.
      });
      reject(error);
    }
  }

  #onPong(token: number): void {
    this.#pings.get(token)?.resolve();
    this.#pings.delete(token);
  }

  #onCall(reader: ByteReader): void {
    if (reader.end - reader.at > MAX_CALL_BYTES) throw new WireError("a call is too long");
    const id = reader.number();
    const name = reader.text();
    let argument: unknown;
    try {
      argument = JSON.parse(reader.restText());
    } catch {
      throw new WireError("the argument of a call is not JSON");
    }
    this.#answer(name, argument).then(
      (value) => this.#sendAnswer(id, 0, JSON.stringify(value ?? null)),
      (error: unknown) => this.#sendAnswer(id, FLAG.failed, JSON.stringify(String((error as Error).message))),
    );
  }

  #sendAnswer(id: number, flags: number, json: string): void {
    const connection = this.#connection;
    if (connection.closed) return;
    const bytes = Buffer.from(json);
    const { writer } = connection;
    for (let at = 0; at < bytes.length; at += ANSWER_PART_BYTES) {
      const part = bytes.subarray(at, at + ANSWER_PART_BYTES);
      writer.begin(FRAME.answer, FIXED_BYTES + part.length);
      writer.number(id);
      writer.byte(flags | (at + part.length < bytes.length ? FLAG.more : 0));
      writer.rest(part);
      writer.finish();
      connection.schedule();
    }
  }

  #onAnswer(reader: ByteReader): void {
    const id = reader.number();
    const flags = reader.byte();
    const pending = this.#calls.get(id);
    if (pending === undefined) return;
    pending.bytes += reader.end - reader.at;
    if (pending.bytes > MAX_ANSWER_BYTES) throw new WireError("an answer is too long");
    pending.parts.push(Buffer.from(reader.bytes.subarray(reader.at, reader.end)));
    if ((flags & FLAG.more) !== 0) return;
    this.#calls.delete(id);
    let value: unknown;
    try {
      value = JSON.parse(Buffer.concat(pending.parts).toString("utf8"));
    } catch {
      throw new WireError("an answer is not JSON");
    }
    if ((flags & FLAG.failed) === 0) pending.answer.resolve(value);
    else pending.answer.reject(new Error(`it answered: ${String(value)}`));
  }
}
