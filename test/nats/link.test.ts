import type { NatsConnection } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import type { DriverContext } from "../../src/driver.ts";
import { Link } from "../../src/drivers/nats/link.ts";
import type { BrokerError } from "../../src/errors.ts";
import { until } from "../../src/testing/conformance/until.ts";
import { FakeClock } from "../unit/internal/fake-clock.ts";

test("what keeps a connection from being restored is told once, however often it is tried", async () => {
  const clock = new FakeClock();
  const errors: string[] = [];
  const failures = ["no leader", "no leader", "offline", "no leader", "offline"];
  let isUp = false;
  const connection = {
    getServer: () => "server",
    closed: () => new Promise(() => {}),
    isClosed: () => false,
    isDraining: () => false,
    async *status() {
      yield { type: "disconnect", server: "server" };
      yield { type: "reconnect", server: "server" };
    },
  };
  const context = {
    clock,
    onDown: () => {},
    onUp: () => {
      isUp = true;
    },
    onError: ({ message }: BrokerError) => errors.push(message),
  };
  const hooks = {
    down: () => {},
    refused: () => {},
    closed: () => {},
    restore: async () => {
      const failure = failures.shift();
      if (failure !== undefined) throw new Error(failure);
    },
  };
  new Link(connection as unknown as NatsConnection, context as unknown as DriverContext, hooks);
  await until(
    () => {
      clock.advance(2_000);
      return isUp;
    },
    { what: "it is restored" },
  );
  expect(errors).toEqual([expect.stringContaining("no leader"), expect.stringContaining("offline")]);
});
