import { EventEmitter } from "node:events";
import type { Options } from "amqplib";
import { describe, expect, test, vi } from "vitest";
import { encode, encodeOwn, FIELD } from "../../src/drivers/rabbitmq/native-message.ts";
import { PublishWindow } from "../../src/drivers/rabbitmq/publish-window.ts";
import type { Session } from "../../src/drivers/rabbitmq/session.ts";
import { BrokerError } from "../../src/errors.ts";
import { VirtualClock } from "../../src/testing/test-broker/virtual-clock.ts";

type Confirm = (error: Error | null) => void;

/** A channel that notes what is published on it and lets the test answer. */
class FakeChannel extends EventEmitter {
  readonly published: string[] = [];
  /** The header tables, as the client reads them: at once. */
  readonly tables: Record<string, unknown>[] = [];
  readonly #confirms = new Map<string, Confirm>();

  publish(_exchange: string, key: string, _content: Buffer, options: Options.Publish, confirm: Confirm): boolean {
    this.published.push(key);
    this.tables.push({ ...options.headers });
    this.#confirms.set(key, confirm);
    return true;
  }

  confirm(key: string, error: Error | null = null): void {
    this.#confirms.get(key)?.(error);
  }

  async close(): Promise<void> {
    this.emit("close");
  }
}

/** A connection that opens fake channels. */
class FakeSession {
  alive = true;
  readonly blocked = false;
  readonly channels: FakeChannel[] = [];

  async confirmChannel(): Promise<FakeChannel> {
    const channel = new FakeChannel();
    this.channels.push(channel);
    return channel;
  }

  gather(): void {}

  destroy(): void {
    this.alive = false;
  }
}

function setUp() {
  const clock = new VirtualClock(0);
  const errors: BrokerError[] = [];
  const window = new PublishWindow(10, clock, (error) => errors.push(error));
  const answers: string[] = [];
  const send = (key: string, resend: boolean): void =>
    window.send({
      exchange: "e",
      routingKey: key,
      message: encodeOwn(key),
      resend,
      confirm: (state) => answers.push(`${key} ${state}`),
      fail: ({ code }) => answers.push(`${key} ${code}`),
    });
  const attach = async (): Promise<FakeSession> => {
    const session = new FakeSession();
    await window.attach(session as unknown as Session);
    return session;
  };
  const resume = (session: FakeSession): void => window.resume(session as unknown as Session);
  return { clock, errors, window, answers, send, attach, resume };
}

const CONTENT = { topic: "t", id: "id", key: undefined, body: Buffer.from("x"), origin: undefined };
const LOST = new BrokerError("ERR_CONNECTION_LOST", "cut");

describe("the publish window", () => {
  test("sends only what restoring needs until everything is on the connection, then the rest in order", async () => {
    const { send, attach, resume } = setUp();
    send("one", true);
    const session = await attach();
    send("own", false);
    send("two", true);
    expect(session.channels[0]?.published).toEqual(["own"]);
    resume(session);
    expect(session.channels[0]?.published).toEqual(["own", "one", "two"]);
  });

  test("is not resumed by a connection that has been replaced", async () => {
    const { window, send, attach, resume } = setUp();
    const first = await attach();
    window.detach(LOST);
    const second = await attach();
    send("one", true);
    resume(first);
    expect(second.channels[0]?.published).toEqual([]);
    resume(second);
    expect(second.channels[0]?.published).toEqual(["one"]);
  });

  test("sends what the server lost on another channel, also while a connection is being restored", async () => {
    const { clock, send, attach, answers, errors } = setUp();
    const session = await attach();
    send("own", false);
    clock.moveTo(5_000);
    expect(errors).toMatchObject([{ code: "ERR_DRIVER", retryable: true, message: expect.stringMatching(/5000 ms/) }]);
    await vi.waitFor(() => expect(session.channels.map(({ published }) => published)).toEqual([["own"], ["own"]]));
    session.channels[0]?.confirm("own");
    expect(answers).toEqual([]);
    session.channels[1]?.confirm("own");
    expect(answers).toEqual(["own stored"]);
  });

  test("sends each message with its own headers, also again, whatever names the others have", async () => {
    const { window, attach, resume } = setUp();
    const first = await attach();
    resume(first);
    const headers = Array.from({ length: 300 }, (_, index) => ({ [`name-${index % 150}`]: String(index), all: "x" }));
    const sent = headers.slice(0, 8);
    // More different names than are remembered.
    for (const header of headers) {
      const message = encode({ ...CONTENT, header }, false);
      const resend = sent.includes(header);
      window.send({ exchange: "e", routingKey: "k", message, resend, confirm: () => {}, fail: () => {} });
      if (!resend) first.channels[0]?.confirm("k");
    }
    window.detach(LOST);
    const second = await attach();
    resume(second);
    const own = (tables: Record<string, unknown>[] = []) => tables.map(({ [FIELD.copy]: _copy, ...header }) => header);
    expect(own(first.channels[0]?.tables)).toEqual(headers);
    expect(own(second.channels[0]?.tables)).toEqual(sent);
    const copies = first.channels[0]?.tables.map((table) => table[FIELD.copy]);
    expect(new Set(copies).size).toBe(headers.length);
    expect(second.channels[0]?.tables.map((table) => table[FIELD.copy])).toEqual(copies?.slice(0, sent.length));
  });

  test("keeps what may be sent again over a lost connection, in order, and fails the rest", async () => {
    const { window, send, attach, resume, answers } = setUp();
    const first = await attach();
    resume(first);
    for (const key of ["one", "two", "three"]) send(key, true);
    send("own", false);
    first.channels[0]?.confirm("two");
    window.detach(LOST);
    expect(answers).toEqual(["two stored", "own ERR_CONNECTION_LOST"]);
    const second = await attach();
    resume(second);
    expect(second.channels[0]?.published).toEqual(["one", "three"]);
  });

  test("fails a message after three channels that broke with it", async () => {
    const { send, attach, resume, answers } = setUp();
    const session = await attach();
    resume(session);
    send("bad", true);
    for (const count of [1, 2, 3]) {
      await vi.waitFor(() => expect(session.channels).toHaveLength(count));
      await vi.waitFor(() => expect(session.channels[count - 1]?.published).toEqual(["bad"]));
      session.channels[count - 1]?.emit("error", Object.assign(new Error("refused"), { code: 406 }));
      session.channels[count - 1]?.emit("close");
    }
    expect(answers).toEqual(["bad ERR_DRIVER"]);
  });

  test("sends what a queue did not take again, on another channel, until it was refused four times", async () => {
    const { send, attach, resume, answers, clock, window } = setUp();
    const session = await attach();
    resume(session);
    const published = (count: number, keys: readonly string[]): Promise<void> =>
      vi.waitFor(() => expect(session.channels[count - 1]?.published).toEqual(keys));
    const refuse = (count: number, key: string): void =>
      session.channels[count - 1]?.confirm(key, new Error("message nacked"));
    clock.moveTo(1_000);
    for (const key of ["one", "refused", "own"]) send(key, key !== "own");
    refuse(1, "refused");
    refuse(1, "own");
    // Nothing is sent on a channel that may have gone deaf, and what waits on it for its confirm is not sent twice.
    send("two", true);
    expect(session.channels[0]?.published).toEqual(["one", "refused", "own"]);
    session.channels[0]?.confirm("one");
    await published(2, ["two"]);
    session.channels[1]?.confirm("two");
    clock.moveTo(1_250);
    await published(2, ["two", "refused", "own"]);
    session.channels[1]?.confirm("own");
    refuse(2, "refused");
    await published(3, []);
    clock.moveTo(2_250);
    await published(3, ["refused"]);
    refuse(3, "refused");
    await published(4, []);
    clock.moveTo(6_250);
    await published(4, ["refused"]);
    expect(window.size).toBe(1);
    refuse(4, "refused");
    expect(answers).toEqual(["one stored", "two stored", "own stored", "refused ERR_DRIVER"]);
  });

  test("keeps what a queue did not take over a lost connection, and fails what must not be sent again", async () => {
    const { send, attach, resume, answers, window } = setUp();
    const first = await attach();
    resume(first);
    send("one", true);
    send("own", false);
    for (const key of ["one", "own"]) first.channels[0]?.confirm(key, new Error("message nacked"));
    expect(answers).toEqual([]);
    window.detach(LOST);
    expect(answers).toEqual(["own ERR_CONNECTION_LOST"]);
    const second = await attach();
    resume(second);
    expect(second.channels[0]?.published).toEqual(["one"]);
  });

  test("lets a message that breaks its channels take no other with it", async () => {
    const { send, attach, resume, answers } = setUp();
    const session = await attach();
    resume(session);
    for (const key of ["one", "bad", "two"]) send(key, true);
    const published = (count: number, keys: readonly string[]): Promise<void> =>
      vi.waitFor(() => expect(session.channels[count - 1]?.published).toEqual(keys));
    const refuse = (count: number): void => {
      session.channels[count - 1]?.emit("error", Object.assign(new Error("refused"), { code: 406 }));
      session.channels[count - 1]?.emit("close");
    };
    await published(1, ["one", "bad", "two"]);
    refuse(1);
    await published(2, ["one"]);
    session.channels[1]?.confirm("one");
    await published(2, ["one", "bad"]);
    refuse(2);
    await published(3, ["bad"]);
    refuse(3);
    send("three", true);
    await vi.waitFor(() => expect(session.channels[3]?.published).toEqual(["two"]));
    session.channels[3]?.confirm("two");
    expect(session.channels[3]?.published).toEqual(["two", "three"]);
    session.channels[3]?.confirm("three");
    expect(answers).toEqual(["one stored", "bad ERR_DRIVER", "two stored", "three stored"]);
  });

  test("fails what comes after it was closed", async () => {
    const { window, send, attach, resume, answers } = setUp();
    resume(await attach());
    window.close(LOST);
    send("one", true);
    send("own", false);
    expect(answers).toEqual(["one ERR_CONNECTION_LOST", "own ERR_CONNECTION_LOST"]);
  });

  test("gives the connection up when an exchange is gone, or no other channel can be had", async () => {
    const { send, attach, resume, answers, window, errors } = setUp();
    const first = await attach();
    resume(first);
    send("one", true);
    first.channels[0]?.emit("error", Object.assign(new Error("no exchange"), { code: 404 }));
    first.channels[0]?.emit("close");
    await vi.waitFor(() => expect(first.alive).toBe(false));
    window.detach(LOST);
    const second = await attach();
    resume(second);
    second.confirmChannel = () => Promise.reject(new Error("no channels left"));
    second.channels[0]?.emit("close");
    await vi.waitFor(() => expect(second.alive).toBe(false));
    expect(errors.map(({ code }) => code)).toEqual(["ERR_CONNECTION_LOST"]);
    expect(answers).toEqual([]);
  });
});
