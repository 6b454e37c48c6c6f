import { connect } from "amqplib";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createBroker } from "../../src/create-broker.ts";
import { rabbitmq } from "../../src/drivers/rabbitmq/index.ts";
import { describeError } from "../../src/errors.ts";
import { silentLogger } from "../../src/logger.ts";
import { describeWithEngine } from "../support/engines/find-engine.ts";
import { type RabbitmqEngine, startRabbitmq } from "../support/engines/rabbitmq.ts";

const PASSWORD = "correct-horse";

describeWithEngine(
  "rabbitmq",
  "a RabbitMQ server",
  () => {
    let engine: RabbitmqEngine;

    beforeAll(async () => {
      engine = await startRabbitmq();
      await engine.addUser("limited", PASSWORD);
    }, 60_000);

    afterAll(() => engine.stop());

    const at = (vhostUrl: string, user = "limited", password = PASSWORD) =>
      vhostUrl.replace("guest:guest", `${user}:${password}`);

    /** Everything that an error says, its causes included. */
    function said(error: unknown): string {
      const cause = error instanceof Error ? error.cause : undefined;
      return `${JSON.stringify(error)} ${describeError(error)} ${cause === undefined ? "" : said(cause)}`;
    }

    async function failureOf(url: string, prefix = "tidings"): Promise<unknown> {
      const broker = createBroker(rabbitmq({ url, prefix }), { logger: silentLogger, connectTimeoutMs: 5_000 });
      try {
        await broker.connect();
      } catch (error) {
        return error;
      } finally {
        await broker.disconnect();
      }
      return undefined;
    }

    test("that refuses the password is ERR_AUTHENTICATION, which does not show it", async () => {
      const failure = await failureOf(at(engine.url, "limited", "wrong-password"));
      expect(failure).toMatchObject({ code: "ERR_AUTHENTICATION", retryable: false });
      expect(said(failure)).not.toMatch(/wrong-password|limited/);
    });

    test("is found among several, whichever are away, and reached again when the connection is cut", async () => {
      const { name, url } = await engine.createVhost();
      const broker = createBroker(url.replace("@", "@127.0.0.1:1,[::1]:1,"), {
        logger: silentLogger,
        onError: () => {},
      });
      await broker.connect();
      const address = `amqp://${engine.host}:${engine.port}/${name}`;
      expect(broker.address).toBe(address);
      const bodies: string[] = [];
      await broker.subscribe("orders", (delivery) => void bodies.push(delivery.text()));
      await engine.cutConnections(name);
      await vi.waitFor(() =>
        expect(broker.address).toBe(`amqp://127.0.0.1:1,[::1]:1,${engine.host}:${engine.port}/${name}`),
      );
      await broker.publish("orders", { body: "after the cut" });
      await vi.waitFor(() => expect(bodies).toEqual(["after the cut"]), { timeout: 20_000 });
      expect(broker.address).toBe(address);
      // What every node's clients need is on every node of a cluster; the others hold what goes with a connection.
      await broker.subscribe("orders", () => {}, { queue: "billing" });
      const queues = await engine.ctl("list_queues", "-p", name, "name", "type", "exclusive");
      expect(queues).toMatch(/tidings\.broadcast:.*quorum/);
      // Before it is needed: a cluster that lacks nodes cannot make it.
      expect(queues).toMatch(/tidings\.excuses\s+stream/);
      expect(queues.split("\n").filter((line) => /\bclassic\b/.test(line) && !line.endsWith("true"))).toEqual([]);
      await broker.disconnect();
    }, 60_000);

    test("whose virtual host is closed to the user, or missing, says so", async () => {
      const { url } = await engine.createVhost("closed");
      for (const closed of [at(url), `${engine.url}/no-such-vhost`]) {
        const failure = await failureOf(closed);
        expect(failure).toMatchObject({ code: "ERR_INVALID_OPTION", message: expect.stringMatching(/virtual host/) });
        expect(said(failure)).not.toMatch(new RegExp(PASSWORD));
      }
    }, 60_000);

    test("that does not let the user make what is needed is ERR_AUTHENTICATION that names it", async () => {
      const { name, url } = await engine.createVhost("narrow");
      await engine.setPermissions(name, "limited", { configure: "^$" });
      const failure = await failureOf(at(url));
      expect(failure).toMatchObject({ code: "ERR_AUTHENTICATION", message: expect.stringMatching(/tidings/) });
      expect(said(failure)).not.toMatch(new RegExp(PASSWORD));
    }, 60_000);

    test("that does not let the user read is ERR_AUTHENTICATION, once, and leaves no subscription behind", async () => {
      const { name, url } = await engine.createVhost("unreadable");
      await engine.setPermissions(name, "limited", {
        read: "^(tidings(\\.(back|gone|inquiry|listeners))?|amq\\.gen.*)$",
      });
      const errors: unknown[] = [];
      const broker = createBroker(at(url), { logger: silentLogger, onError: (error) => errors.push(error) });
      await broker.connect();
      await expect(broker.subscribe("a.b", () => {})).rejects.toMatchObject({
        code: "ERR_AUTHENTICATION",
        message: expect.stringMatching(/tidings\.broadcast/),
      });
      await engine.setPermissions(name, "limited");
      const seen: string[] = [];
      await broker.subscribe("a.b", (delivery) => void seen.push(delivery.text()));
      await broker.publish("a.b", { body: "readable" });
      await vi.waitFor(() => expect(seen).toEqual(["readable"]));
      const consumed = (await engine.ctl("list_consumers", "-p", name, "queue_name")).match(/tidings\.broadcast/g);
      expect(consumed).toHaveLength(1);
      expect(errors).toEqual([]);
      await broker.disconnect();
    }, 60_000);

    test("that refused a subscription takes it once the user may have it, on the same connection", async () => {
      const { name, url } = await engine.createVhost("for-a-while");
      await engine.setPermissions(name, "limited", { read: "^tidings(?!\\.inquiry)" });
      const broker = createBroker(at(url), { logger: silentLogger });
      await broker.connect();
      await expect(broker.subscribe("a.b", () => {}, { queue: "q" })).rejects.toMatchObject({
        code: "ERR_AUTHENTICATION",
        message: expect.stringMatching(/tidings\.inquiry/),
      });
      await engine.setPermissions(name, "limited");
      await vi.waitFor(() => broker.subscribe("a.b", () => {}, { queue: "q" }));
      expect(await broker.queues.list()).toMatchObject([{ queue: "q", members: 1 }]);
      await broker.disconnect();
    }, 60_000);

    test("that refuses one message refuses no other that is on its way", async () => {
      const { name, url } = await engine.createVhost("one-topic");
      await engine.setPermissions(name, "limited");
      await engine.ctl("set_topic_permissions", "-p", name, "limited", "tidings", "^a\\.", ".*");
      const broker = createBroker(at(url), { logger: silentLogger });
      await broker.connect();
      await broker.createQueue("a.b", "q");
      const publishes = Array.from({ length: 20 }, (_, number) =>
        broker.publish(number === 10 ? "b.c" : "a.b", { body: String(number) }),
      );
      const answers = await Promise.allSettled(publishes);
      const codes = answers.map((result) => (result.status === "fulfilled" ? result.value.state : result.reason.code));
      const expected = publishes.map((_, number) => (number === 10 ? "ERR_AUTHENTICATION" : "stored"));
      expect(codes).toEqual(expected);
      for (const answer of answers)
        if (answer.status === "rejected") expect(said(answer.reason)).not.toMatch(/limited/);
      await broker.disconnect();
    }, 60_000);

    test("with a queue of other arguments is ERR_INVALID_OPTION that names the difference", async () => {
      const connection = await connect(engine.url);
      await (await connection.createChannel()).assertQueue("odd-queue.queue:a.b:q", { durable: true });
      await connection.close();
      const broker = createBroker(rabbitmq({ url: engine.url, prefix: "odd-queue" }), { logger: silentLogger });
      await broker.connect();
      await expect(broker.subscribe("a.b", () => {}, { queue: "q" })).rejects.toMatchObject({
        code: "ERR_INVALID_OPTION",
        message: expect.stringMatching(/odd-queue\.queue:a\.b:q.*(x-queue-type|x-delivery-limit)/),
      });
      await broker.disconnect();
    });

    test("with a queue of the ladder of other arguments names the difference, and costs no attempts", async () => {
      const connection = await connect(engine.url);
      await (await connection.createChannel()).assertQueue("odd-ladder.delay:50", { durable: true });
      await connection.close();
      const errors: string[] = [];
      const broker = createBroker(rabbitmq({ url: engine.url, prefix: "odd-ladder" }), {
        logger: silentLogger,
        onError: ({ code, message, cause }) => errors.push(`${code} ${message} ${describeError(cause)}`),
      });
      await broker.connect();
      const attempts: number[] = [];
      const failing = ({ attempt }: { attempt: number }) => {
        attempts.push(attempt);
        throw new Error("it always fails");
      };
      await broker.subscribe("a.b", failing, { queue: "q", maxAttempts: 3, backoffMs: 40, maxBackoffMs: 40 });
      await broker.publish("a.b", { body: "x" });
      await vi.waitFor(async () => expect(await broker.deadLetters.list("dlq.a.b")).toHaveLength(1), {
        timeout: 15_000,
      });
      expect(attempts).toEqual([1, 2, 3]);
      expect(errors.join("\n")).toMatch(/odd-ladder\.delay:50.*x-/);
      await broker.disconnect();
    }, 60_000);

    test("that takes no more queues says so; once it does, everything works on the same connection", async () => {
      const { name, url } = await engine.createVhost("few-queues");
      const broker = createBroker(url, { logger: silentLogger });
      await broker.connect();
      await engine.ctl("set_vhost_limits", "-p", name, '{"max-queues": 1}');
      for (const options of [{ queue: "q" }, {}])
        await expect(broker.subscribe("a.b", () => {}, options)).rejects.toMatchObject({
          code: "ERR_DRIVER",
          retryable: true,
          message: expect.stringMatching(/queue limit .* is reached/),
        });
      await engine.ctl("set_vhost_limits", "-p", name, "{}");
      const seen: string[] = [];
      await broker.subscribe("a.b", (delivery) => void seen.push(delivery.text()), { queue: "q" });
      await broker.publish("a.b", { body: "x" });
      await vi.waitFor(() => expect(seen).toEqual(["x"]));
      await broker.disconnect();
    }, 60_000);

    test("whose virtual host is removed under a connected broker is reported, once, and waited for", async () => {
      const { name, url } = await engine.createVhost("removed");
      const errors: string[] = [];
      const broker = createBroker(url, { logger: silentLogger, onError: ({ code }) => errors.push(code) });
      await broker.connect();
      await broker.subscribe("a.b", () => {}, { queue: "q" });
      await engine.ctl("delete_vhost", name);
      await vi.waitFor(() => expect(errors).toContain("ERR_INVALID_OPTION"), { timeout: 20_000 });
      await engine.createVhost("removed");
      await vi.waitFor(() => expect(broker.status).toBe("connected"), { timeout: 20_000 });
      expect(errors.filter((code) => code === "ERR_INVALID_OPTION")).toHaveLength(1);
      expect(await broker.publish("a.b", {})).toMatchObject({ state: "stored" });
      await broker.disconnect();
    }, 60_000);

    test("with an exchange of another type is ERR_INVALID_OPTION that names the difference", async () => {
      const connection = await connect(engine.url);
      await (await connection.createChannel()).assertExchange("odd-exchange", "fanout");
      await connection.close();
      expect(await failureOf(engine.url, "odd-exchange")).toMatchObject({
        code: "ERR_INVALID_OPTION",
        message: expect.stringMatching(/'topic' but current is 'fanout'/),
      });
    });

    test("sends a message of another program on to subscribers", async () => {
      const broker = createBroker(rabbitmq({ url: engine.url }), { logger: silentLogger });
      await broker.connect();
      const seen: unknown[] = [];
      await broker.subscribe(
        "a.*",
        (delivery) => void seen.push([delivery.topic, delivery.text(), { ...delivery.message.header }]),
      );
      const connection = await connect(engine.url);
      const channel = await connection.createChannel();
      channel.publish("tidings", "a.b", Buffer.from("hello"), { headers: { "x-a": "1" } });
      await vi.waitFor(() => expect(seen).toEqual([["a.b", "hello", { "x-a": "1" }]]));
      await connection.close();
      await broker.disconnect();
    });

    test("sends messages of another program with odd properties to handlers, and their dead letters can be redriven", async () => {
      const { url } = await engine.createVhost();
      const errors: string[] = [];
      const broker = createBroker(url, { logger: silentLogger, onError: ({ code }) => errors.push(code) });
      await broker.connect();
      const seen: string[] = [];
      const fail = ({ attempt, text }: { attempt: number; text(): string }) => {
        seen.push(`${text()} ${attempt}`);
        throw new Error("it always fails");
      };
      await broker.subscribe("a.b", ({ attempt, message }) => fail({ attempt, text: () => String(message.body) }), {
        queue: "q",
        maxAttempts: 1,
      });
      const connection = await connect(url);
      const channel = await connection.createChannel();
      const odd = {
        first: { headers: { "tidings-first-failure": "long ago" } },
        moved: { headers: { "x-delivery-count": 7 } },
        timed: { timestamp: 9e12 },
      };
      for (const [text, options] of Object.entries(odd)) channel.publish("tidings", "a.b", Buffer.from(text), options);
      await vi.waitFor(async () => expect(await broker.deadLetters.list("a.b")).toHaveLength(3), { timeout: 20_000 });
      expect(seen.toSorted()).toEqual(["first 1", "moved 1", "timed 1"]);
      const origins = ["null", '{"pattern":5}'];
      for (const origin of origins)
        channel.publish("tidings.dlq", "dlq.a.b", Buffer.from(origin), {
          messageId: "always the same",
          headers: { "tidings-origin": origin, "Tidings-Dead-First": "never", "Tidings-Dead-Attempts": "many" },
        });
      await vi.waitFor(async () => expect(await broker.deadLetters.list("a.b")).toHaveLength(5));
      for (const { firstAt, attempts } of await broker.deadLetters.list("a.b"))
        expect([Number.isNaN(firstAt.getTime()), Number.isInteger(attempts)]).toEqual([false, true]);
      expect(await broker.deadLetters.redrive("a.b")).toBe(3);
      await vi.waitFor(() => expect(seen).toHaveLength(6));
      expect(new Set(errors)).toEqual(new Set(["ERR_HANDLER_FAILED"]));
      await connection.close();
      await broker.disconnect();
    }, 60_000);

    test("with a message of another program that its takers died with counts each death, whoever left long ago", async () => {
      const { url } = await engine.createVhost();
      const broker = createBroker(url, { logger: silentLogger, onError: () => {} });
      await broker.connect();
      await broker.createQueue("a.b", "q");
      // Makes the stream of excuses.
      await (await broker.subscribe("a.b", () => {}, { queue: "q" })).unsubscribe();
      const name = "tidings.queue:a.b:q";
      const connection = await connect(url);
      const channel = await connection.createChannel();
      const at = Date.now() - 3_600_000;
      for (let number = 0; number < 5; number += 1)
        channel.sendToQueue("tidings.excuses", Buffer.from(JSON.stringify({ queue: name, at, by: "somebody" })));
      channel.publish("tidings", "a.b", Buffer.from("poison"));
      for (let death = 1; death <= 3; death += 1) {
        const taker = await connection.createChannel();
        await vi.waitFor(async () => expect(await taker.get(name)).not.toBe(false));
        await taker.close();
      }
      const attempts: number[] = [];
      await broker.subscribe("a.b", ({ attempt }) => void attempts.push(attempt), { queue: "q" });
      // One is forgiven: a member left just now.
      await vi.waitFor(() => expect(attempts).toEqual([3]), { timeout: 20_000 });
      await connection.close();
      await broker.disconnect();
    }, 60_000);

    test("gets a delay longer than the ladder back into it", async () => {
      const broker = createBroker(rabbitmq({ url: engine.url }), { logger: silentLogger });
      await broker.connect();
      await broker.createQueue("a.b", "q");
      const connection = await connect(engine.url);
      const channel = await connection.createChannel();
      const headers = { "tidings-rest": 60, "tidings-topic": "a.b", "tidings-attempt": 2 };
      channel.sendToQueue("tidings.queue:a.b:q", Buffer.from("late"), { headers });
      const startedAt = performance.now();
      const seen: [string, number, number][] = [];
      await broker.subscribe(
        "a.b",
        (delivery) => void seen.push([delivery.topic, delivery.attempt, performance.now() - startedAt]),
        { queue: "q" },
      );
      await vi.waitFor(() => expect(seen).toHaveLength(1));
      expect(seen[0]?.slice(0, 2)).toEqual(["a.b", 2]);
      expect(seen[0]?.[2]).toBeGreaterThanOrEqual(60);
      await connection.close();
      await broker.disconnect();
    });
  },
  { own: true },
);
