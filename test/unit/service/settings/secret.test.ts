import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { resolveSettings } from "../../../../src/service/settings/resolve-settings.ts";

const folder = mkdtempSync(join(tmpdir(), "tidings-secret-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(content: string | Uint8Array): string {
  const path = join(folder, "secret");
  writeFileSync(path, content);
  return path;
}

const secret = (env: Record<string, string>) => resolveSettings([], env).settings.brokerOptions.secret;

/** The error, with everything that a log might show of it. */
function failure(env: Record<string, string>): { code: unknown; message: string; cause: unknown } {
  try {
    secret(env);
  } catch (error) {
    if (error instanceof Error && "code" in error)
      return { ...error, code: error.code, message: error.message, cause: error.cause };
  }
  throw new Error("nothing was refused");
}

describe("the secret", () => {
  test("comes from TIDINGS_SECRET as it is", () => {
    expect(secret({ TIDINGS_SECRET: " word \n" })).toBe(" word \n");
  });

  test.each([
    ["word", "word"],
    ["word\n", "word"],
    ["word\r\n", "word"],
    ["word\n\n", "word\n"],
    [" wörd\n", " wörd"],
  ])("comes from a file that holds %j", (content, expected) => {
    expect(secret({ TIDINGS_SECRET_FILE: file(content) })).toBe(expected);
    expect(secret({ TIDINGS_SECRET_FILE: file(content), TIDINGS_SECRET: "" })).toBe(expected);
  });

  test.each([
    ["an empty file", () => file("\n"), "is empty"],
    ["what is no text", () => file(Uint8Array.of(0x77, 0xff)), "not text"],
    ["a file that is not there", () => join(folder, "word"), "cannot be read (ENOENT)"],
    ["a folder", () => folder, "cannot be read (EISDIR)"],
  ])("is not taken from %s, and nothing of it is shown", (_what, make, why) => {
    const error = failure({ TIDINGS_SECRET_FILE: make() });
    expect(error).toMatchObject({ code: "ERR_INVALID_OPTION", cause: undefined });
    expect(error.message).toMatch(/^TIDINGS_SECRET_FILE names a file that /);
    expect(error.message).toContain(why);
    expect(error.message).not.toMatch(/word|tidings-secret-/);
  });

  test("is not taken from two places", () => {
    const error = failure({ TIDINGS_SECRET: "word", TIDINGS_SECRET_FILE: file("word") });
    expect(error.message).toBe("TIDINGS_SECRET and TIDINGS_SECRET_FILE are both set: leave one of them out.");
  });
});
