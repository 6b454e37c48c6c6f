import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Broker } from "../../src/broker.ts";
import { type Legacy, openStorage } from "../../src/outbox/storage/storage.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { FakeClock } from "../unit/internal/fake-clock.ts";
import { named, openStored, storageFolder } from "./support.ts";

/** Lets nobody remove the only part that is not among `others`, as where the disk refuses just that; returns its name. */
async function lockRemoval(folder: string, others: readonly string[]): Promise<string> {
  const [part] = (await named(folder, "part-")).filter((name) => !others.includes(name));
  const removed = join(folder, (part as string).replace("part-", "removed-"));
  await mkdir(removed);
  await writeFile(join(removed, "in-the-way"), "");
  return part as string;
}

/** A broker that leaves one message for nobody behind. */
async function leaveBehind(folder: string, topic: string): Promise<void> {
  const { broker } = await openStored(folder);
  await broker.publish(topic, { body: "left" });
  await broker.disconnect();
}

async function receiving(broker: Broker, topic: string): Promise<string[]> {
  const got: string[] = [];
  await broker.subscribe(topic, (delivery) => void got.push(delivery.text()));
  return got;
}

describe("a part that was taken over and could not be removed", () => {
  test("is not taken over a second time", async () => {
    const folder = await storageFolder();
    const clock = new FakeClock();
    const errors: string[] = [];
    const taken: Legacy[] = [];
    const staying = await openStorage({ folder, whenFull: "reject", clock, onError: ({ code }) => errors.push(code) });
    const own = await named(folder, "part-");
    await leaveBehind(folder, "t");
    const part = await lockRemoval(folder, own);
    let looks = 0;
    staying.watch({
      hasRoom: () => {
        looks += 1;
        return true;
      },
      take: (legacy) => taken.push(legacy),
    });
    clock.advance(1_000);
    await until(() => errors.length > 0, { what: "the first look had failed to remove the part" });
    expect(await named(folder, "part-")).toContain(part);
    await rm(join(folder, part.replace("part-", "removed-")), { recursive: true });
    await until(
      async () => {
        clock.advance(10_000);
        return !(await named(folder, "part-")).includes(part);
      },
      { what: "the part was removed" },
    );
    await staying.close();
    expect([looks, taken.flatMap(({ messages }) => messages).length]).toEqual([1, 1]);
  });

  test("and that went on elsewhere since then is not removed with what is new in it", async () => {
    const folder = await storageFolder();
    const first = await openStored(folder);
    const own = await named(folder, "part-");
    await leaveBehind(folder, "old");
    const part = await lockRemoval(folder, own);
    await until(() => first.errors.length > 0, { what: "the part was taken over, and stayed", deadlineMs: 20_000 });
    // Goes on with that part: the other one is in use.
    const second = await openStored(folder);
    expect(await named(folder, "part-")).toEqual([...own, part].sort());
    await first.broker.disconnect();
    const third = await openStored(folder);
    await second.broker.publish("new", { body: "stored" });
    await second.broker.disconnect();
    await until(async () => (await named(folder, "part-")).length === 1, {
      what: "the part was taken over",
      deadlineMs: 30_000,
    });
    const got = await receiving(third.broker, "new");
    await until(() => got.length > 0, { what: "what was stored in it arrived" });
    expect(got).toEqual(["stored"]);
  }, 60_000);
});
