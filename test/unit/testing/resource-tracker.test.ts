import { createServer } from "node:net";
import { expect, test } from "vitest";
import { ResourceTracker } from "../../../src/testing/conformance/resource-tracker.ts";
import { until } from "../../../src/testing/index.ts";

test("a resource tracker sees what the work left, and nothing of others", async () => {
  const tracker = new ResourceTracker();
  const ofOthers = setTimeout(() => {}, 60_000);
  const left: { timer?: NodeJS.Timeout } = {};
  const server = createServer();
  await tracker.run(async () => {
    await Promise.resolve();
    left.timer = setTimeout(() => {}, 60_000);
    setTimeout(() => {}, 60_000).unref();
    clearTimeout(setTimeout(() => {}, 60_000));
    await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve());
    });
  });
  // That a timer has fired is told at a later turn.
  await until(() => tracker.alive.length === 2, { deadlineMs: 5_000, what: "the fired timer is forgotten" });
  expect(tracker.alive.sort()).toEqual(["TCPSERVERWRAP", "Timeout"]);
  clearTimeout(left.timer);
  server.close();
  await until(() => tracker.alive.length === 0, { deadlineMs: 5_000, what: "nothing is left" });
  tracker.stop();
  clearTimeout(ofOthers);
});
