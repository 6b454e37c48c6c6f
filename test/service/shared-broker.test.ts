import { expect, test } from "vitest";
import { newPlace } from "./service-process.ts";

test("two services of one process share a broker, and the last to stop closes it", async () => {
  const place = newPlace();
  const program = place.start("shared-broker.mjs");
  await program.hasLines(1);
  const records = await place.registry.listServices();
  const addressOf = (name: string) =>
    records.find((record) => record.name === name)?.nodes.map(({ address }) => address);
  expect(addressOf("orders")).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  expect(addressOf("invoices")).toEqual(addressOf("orders"));
  expect(addressOf("tidings.http.peer")).toEqual(addressOf("orders"));

  program.child.kill("SIGTERM");
  await program.endsWith(0);
  expect(program.lines[0]).toBe("invoice 8");
  // Whether it is the first or the last to stop is left open.
  expect(program.lines[1]).toMatch(/^invoices: (connected|draining|closed)$/);
  expect(program.lines.slice(2)).toEqual(["closed"]);
  expect(program.err).toBe("");
  expect(await place.registry.listServices()).toEqual([]);
});
