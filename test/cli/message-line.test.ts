import { describe, expect, test } from "vitest";
import { colorsFor } from "../../src/cli/colors.ts";
import { messageJson, messageText, type PrintedDelivery } from "../../src/cli/message-line.ts";
import { fakeTerminal } from "./fake-terminal.ts";

const plain = colorsFor(fakeTerminal().stdout, {});

function delivery(body: string | Uint8Array, header: Record<string, string> = {}, attempt = 1): PrintedDelivery {
  return {
    topic: "orders.created",
    id: "7",
    attempt,
    message: { header, body: typeof body === "string" ? Buffer.from(body) : body },
  };
}

describe("messageJson", () => {
  test("has the promised fields, in order", () => {
    const line = messageJson(delivery('{"id":7}', { "x-id": "7" }, 2));
    expect(line).toBe('{"topic":"orders.created","id":"7","attempt":2,"header":{"x-id":"7"},"body":"{\\"id\\":7}"}');
  });

  test("has the body as base64 where it is not UTF-8", () => {
    expect(JSON.parse(messageJson(delivery(Uint8Array.of(0xff, 0)))).bodyBase64).toBe("/wA=");
    expect(JSON.parse(messageJson(delivery(Uint8Array.of(0xff))))).not.toHaveProperty("body");
  });

  test("keeps an empty body, a byte order mark and a header named __proto__", () => {
    const header: Record<string, string> = Object.create(null);
    header.a = "1";
    header["__proto__".toString()] = "x";
    expect(messageJson(delivery("", header))).toContain('"header":{"a":"1","__proto__":"x"},"body":""');
    expect(JSON.parse(messageJson(delivery("\ufeffa"))).body).toBe("\ufeffa");
  });
});

describe("messageText", () => {
  test("is one line of topic, headers and body", () => {
    expect(messageText(delivery("hello", { "x-id": "7" }), plain)).toBe("orders.created x-id=7 hello");
  });

  test("tells a later attempt", () => {
    expect(messageText(delivery("hello", {}, 3), plain)).toBe("orders.created (attempt 3) hello");
  });

  test("sends no control character of topic, header or body to the terminal", () => {
    const line = messageText({ ...delivery("\u001b[2J\n", { "a\u0007": "b\u009b" }), topic: "t\u0085" }, plain);
    expect(line).toBe("t\\u0085 a\\u0007=b\\u009b \\u001b[2J\\n");
  });

  test("shows a body that is no text as base64", () => {
    expect(messageText(delivery(Uint8Array.of(0xff, 0x1b)), plain)).toBe("orders.created base64:/xs=");
  });

  test("has colours on a terminal only, and none with NO_COLOR", () => {
    const { stdout } = fakeTerminal({ columns: 80 });
    expect(messageText(delivery("x"), colorsFor(stdout, {}))).toContain("\u001b[36m");
    expect(messageText(delivery("x"), colorsFor(stdout, { NO_COLOR: "1" }))).toBe("orders.created x");
  });
});
