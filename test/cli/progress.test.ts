import { expect, test } from "vitest";
import { Progress } from "../../src/cli/progress.ts";
import { fakeTerminal } from "./fake-terminal.ts";

test("progress is one line on a terminal, which is removed in the end", () => {
  const terminal = fakeTerminal({ columns: 80 });
  const progress = new Progress(terminal.stdout, (count) => `published ${count} of 9`);
  for (let count = 1; count <= 9; count += 1) progress.update(count);
  expect(terminal.out()).toBe("\r\u001b[Kpublished 1 of 9");
  progress.clear();
  progress.clear();
  expect(terminal.out()).toBe("\r\u001b[Kpublished 1 of 9\r\u001b[K");
});

test("progress is nothing where there is no terminal", () => {
  const terminal = fakeTerminal();
  const progress = new Progress(terminal.stderr, String);
  progress.update(1);
  progress.clear();
  expect(terminal.err()).toBe("");
});
