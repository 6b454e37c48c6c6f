import { beforeEach, describe, expect, test, vi } from "vitest";
import { type LoggingOptions, logging } from "../../../../src/service/middleware/index.ts";
import { FakeClock } from "../../internal/fake-clock.ts";
import { failureOf, publishContext, subscribeContext } from "./contexts.ts";

let clock = new FakeClock();
let lines: { level: string; details: object; text: string }[] = [];

beforeEach(() => {
  clock = new FakeClock();
  lines = [];
});

const at = (level: string) => (details: object, text: string) => void lines.push({ level, details, text });
const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
const receipt = { id: "id-1", state: "accepted" } as const;

describe("logging", () => {
  test("writes one line for a handler start", async () => {
    const run = logging({ logger, clock }).subscribe(subscribeContext({ attempt: 2 }), async () => {
      clock.advance(12);
      return "done";
    });
    expect(await run).toBe("done");
    const details = {
      side: "subscribe",
      topic: "orders.created",
      id: "id-1",
      queue: "billing",
      attempt: 2,
      durationMs: 12,
      outcome: "handled",
    };
    expect(lines).toEqual([
      { level: "info", details, text: "handled orders.created id-1 in 12 ms (attempt 2, queue billing)" },
    ]);
  });

  test("writes a warning for a failure, and passes the error unchanged", async () => {
    const error = new Error("no price yet");
    const { subscribe, publish } = logging({ logger, level: "debug", clock });
    expect(await failureOf(subscribe(subscribeContext({ queue: undefined }), () => Promise.reject(error)))).toBe(error);
    expect(await failureOf(publish(publishContext(), () => Promise.reject(error)))).toBe(error);
    expect(lines.map(({ level, text }) => `${level}: ${text}`)).toEqual([
      "warn: failed orders.created id-1 in 0 ms (attempt 1): no price yet",
      "warn: failed to publish orders.created id-1 in 0 ms: no price yet",
    ]);
    expect(lines[0]?.details).toMatchObject({ outcome: "failed", error });
  });

  test("writes one line for a publish, at the level asked for", async () => {
    expect(await logging({ logger, level: "debug", clock }).publish(publishContext(), async () => receipt)).toBe(
      receipt,
    );
    const details = {
      side: "publish",
      topic: "orders.created",
      id: "id-1",
      durationMs: 0,
      outcome: "published",
      state: "accepted",
    };
    expect(lines).toEqual([{ level: "debug", details, text: "published orders.created id-1 in 0 ms: accepted" }]);
  });

  test("keeps to one line, whatever an id or an error holds", async () => {
    const error = new Error("first\nsecond\u001b[31m\u2028");
    await failureOf(
      logging({ logger, clock }).subscribe(subscribeContext({ id: "a\r\nb" }), () => Promise.reject(error)),
    );
    expect(lines[0]?.text).toBe(
      "failed orders.created a\\u000d\\u000ab in 0 ms (attempt 1, queue billing): first\\u000asecond\\u001b[31m\\u2028",
    );
  });

  test("a logger that fails changes neither result nor error", async () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const broken = () => {
      throw new Error("disk full");
    };
    const { subscribe } = logging({ logger: { debug: broken, info: broken, warn: broken, error: broken }, clock });
    expect(await subscribe(subscribeContext(), async () => "done")).toBe("done");
    const error = new Error("no");
    expect(await failureOf(subscribe(subscribeContext(), () => Promise.reject(error)))).toBe(error);
    expect(write.mock.calls.map(([text]) => text)).toEqual(Array(2).fill(expect.stringContaining("disk full")));
    write.mockRestore();
  });

  test("writes to standard error by default, also what went well", async () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const { publish } = logging({ clock });
    await publish(publishContext(), async () => receipt);
    await failureOf(publish(publishContext(), () => Promise.reject(new Error("no"))));
    expect(write.mock.calls.map(([text]) => text)).toEqual([
      "tidings: info: published orders.created id-1 in 0 ms: accepted\n",
      "tidings: warning: failed to publish orders.created id-1 in 0 ms: no\n",
    ]);
    write.mockRestore();
  });

  test.each<LoggingOptions>([{ level: "loud" as never }, { logger: 1 as never }, { prefix: "x" } as never])(
    "refuses %o",
    (options) => {
      expect(() => logging(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION" }));
    },
  );
});
