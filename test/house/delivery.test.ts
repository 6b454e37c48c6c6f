import { describe, expect, test } from "vitest";
import { textOf } from "./tree.ts";

/** The members of an interface of src/broker-options.ts. */
function membersOf(name: string): string[] {
  const body = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(
    textOf("src/broker-options.ts"),
  )?.[1];
  return [...(body ?? "").matchAll(/^ {2}(\w+)\??:/gm)].map((match) => match[1] ?? "").sort();
}

/** The rows under a heading of docs/delivery.md that begin with code: the names in their first column. */
function documented(heading: string): string[] {
  const page = textOf("docs/delivery.md");
  const section = page.slice(page.indexOf(`\n${heading}\n`) + 1).split(/\n#+ /)[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map((match) => match[1] ?? ""))
    .sort();
}

describe("the option tables of docs/delivery.md", () => {
  test.each([
    ["### Options of a broker", "BrokerOptions"],
    ["### Options of subscribe", "SubscribeOptions"],
    ["### Options of publish", "PublishOptions"],
  ])("%s has every member of %s", (heading, name) => {
    expect(membersOf(name).length).toBeGreaterThan(0);
    expect(documented(heading)).toEqual(membersOf(name));
  });
});

describe("docs/delivery.md", () => {
  test("has a heading for each promise", () => {
    const numbers = [...textOf("docs/delivery.md").matchAll(/^### D(\d+): \S/gm)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: 14 }, (_, index) => index + 1));
  });

  test("names every state of a receipt, and no other", () => {
    const union = /export type ReceiptState = (.*);/.exec(textOf("src/receipt.ts"))?.[1] ?? "";
    const states = [...union.matchAll(/"(\w+)"/g)].map((match) => match[1]).sort();
    expect(documented("## Receipts")).toEqual(states);
  });
});
