import { randomBytes } from "node:crypto";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { openBroker, registryFolder } from "./support/brokers.ts";
import { Worker } from "./support/worker.ts";

/** Publishes until a subscriber in another process has something: the two know each other. */
async function reaches(broker: Broker, topic: string, got: readonly unknown[], who: string): Promise<void> {
  const before = got.length;
  const publish = async () => {
    await broker.publish(topic, { body: "are you there?" });
    return got.length > before;
  };
  await until(publish, { what: `${who} got something`, deadlineMs: 20_000 });
}

test("a registry folder that is removed while it is used is put back, with what others need", async () => {
  const folder = await registryFolder();
  const here = await openBroker(folder);
  const there = await Worker.connected(folder);
  await there.subscribe("t.x", "there");
  await here.broker.createQueue("t.q", "later");
  await here.broker.publish("t.q", { body: "kept" });
  await rm(folder, { recursive: true });
  const before = await until(
    async () => {
      const names = await readdir(folder).catch(() => []);
      return names.filter((name) => name.endsWith(".json")).length >= 3 && names;
    },
    { what: "the records of both and of the queue are there", deadlineMs: 12_000 },
  );
  expect(before).toContain("secret");
  const late = await openBroker(folder);
  const got: string[] = [];
  await late.broker.subscribe("t.x", (delivery) => void got.push(delivery.text()));
  await reaches(late.broker, "t.x", there.got, "the one that was there");
  await reaches(here.broker, "t.x", got, "the one that came later");
  const kept: string[] = [];
  await late.broker.subscribe("t.q", (delivery) => void kept.push(delivery.text()), { queue: "later" });
  await until(() => kept.length > 0, { what: "what was kept for the queue arrived" });
  expect([kept, here.givenUp, here.errors, late.errors, there.errors]).toEqual([["kept"], [], [], [], []]);
}, 60_000);

test("processes that came before and after the secret was made anew trust each other", async () => {
  const folder = await registryFolder();
  const here = await openBroker(folder);
  await writeFile(join(folder, "secret"), randomBytes(32));
  const late = await openBroker(folder);
  const got = { here: [] as string[], late: [] as string[] };
  await here.broker.subscribe("t.x", (delivery) => void got.here.push(delivery.text()));
  await late.broker.subscribe("t.x", (delivery) => void got.late.push(delivery.text()));
  await reaches(late.broker, "t.x", got.here, "the one that was there");
  await reaches(here.broker, "t.x", got.late, "the one that came later");
}, 60_000);
