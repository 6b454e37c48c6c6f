import { expect, test } from "vitest";
import { BacklogReport } from "../../../../src/drivers/http/backlog-report.ts";
import type { Clock, Timer } from "../../../../src/internal/clock.ts";
import { Outbox } from "../../../../src/outbox/outbox.ts";
import type { Service } from "../../../../src/registry.ts";
import { ManualClock, service } from "../../registries/helpers.ts";

/** A clock whose two times tick at different moments, as the system's do, and whose wall time can be set. */
class TickingClock implements Clock {
  readonly inner = new ManualClock();
  setBy = 0;
  #looks = 0;

  now(): number {
    return this.inner.now();
  }

  wall(): number {
    this.#looks += 1;
    return this.inner.now() + this.setBy + (this.#looks % 2);
  }

  after(delayMs: number, run: () => void): Timer {
    return this.inner.after(delayMs, run);
  }
}

test("a backlog that stays as it is is told once, and again when the system's time was set", async () => {
  const clock = new TickingClock();
  const outbox = new Outbox({
    clock,
    maxMessages: 10,
    maxBytes: 1_000,
    maxAgeMs: 3_600_000,
    whenFull: "reject",
    keepsUnwanted: true,
    onGiveUp: () => {},
  });
  const told: Service[] = [];
  const registration = { update: async (record: Service) => void told.push(record), stop: async () => {} };
  const record = service("peers", ["here"]);
  const report = new BacklogReport({
    registration,
    record,
    outbox,
    clock,
    onError: (error) => expect.fail(String(error)),
  });
  await report.start();
  const at = clock.wall();
  const header = Object.freeze({});
  const publication = {
    topic: "t.x",
    id: "1",
    key: undefined,
    header,
    body: Buffer.from("x"),
    bytes: 1,
    mandatory: false,
  };
  outbox.publish(
    [{ ...publication, origin: undefined, confirm: () => {}, fail: (error) => expect.fail(String(error)) }],
    0,
  );
  await clock.inner.advance(60_000);
  const since = () => told.map(({ nodes }) => Number(nodes[0]?.metadata["tidings-stored-since"] ?? Number.NaN) - at);
  expect(told).toHaveLength(2);
  expect(Math.abs(since()[1] ?? Number.NaN)).toBeLessThan(1_000);
  clock.setBy = 3_600_000;
  await clock.inner.advance(10_000);
  expect(told).toHaveLength(3);
  expect(Math.abs((since()[2] ?? Number.NaN) - 3_600_000)).toBeLessThan(1_000);
  report.close();
  outbox.close();
});
