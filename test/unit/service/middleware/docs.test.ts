import { describe, expect, test } from "vitest";
import { filesUnder, textOf } from "../../../house/tree.ts";

const page = textOf("docs/middleware.md");

/** The members of an interface of the middleware. */
function membersOf(path: string, name: string): string[] {
  const body = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(textOf(path))?.[1] ?? "";
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map((match) => match[1] ?? "");
}

/** The names in the first column of the table under a heading. */
function documented(heading: string): string[] {
  const section = page.slice(page.indexOf(`\n${heading}\n`) + 1).split(/\n#+ /)[0] ?? "";
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? "");
}

describe("docs/middleware.md", () => {
  test.each([
    ["logging", "LoggingOptions"],
    ["rate-limit", "RateLimitOptions"],
    ["dedupe", "DedupeOptions"],
    ["circuit-breaker", "CircuitBreakerOptions"],
    ["retry", "RetryOptions"],
  ])("has every option of %s, in order", (file, name) => {
    const factory = file.replace(/-(\w)/g, (_dash, letter: string) => letter.toUpperCase());
    const members = membersOf(`src/service/middleware/${file}.ts`, name);
    expect(members.length).toBeGreaterThan(0);
    expect(documented(`### Options of ${factory}`)).toEqual(members);
  });

  test("has a section for each factory that is exported", () => {
    const factories = filesUnder("src/service/middleware", ".ts")
      .flatMap((path) => [...textOf(path).matchAll(/^export function (\w+)\([\s\S]*?\): (\w+) \{$/gm)])
      .filter((match) => /^(SubscribeMiddleware|BothSides|CircuitBreaker)$/.test(match[2] ?? ""))
      .map((match) => match[1]);
    expect(factories.sort()).toEqual([
      "circuitBreaker",
      "dedupe",
      "logging",
      "rateLimit",
      "retry",
      "timeout",
      "validate",
    ]);
    for (const factory of factories) expect(page).toContain(`\n## ${factory}\n`);
  });
});
