import { describe, expect, test } from "vitest";
import { Servers } from "../../src/drivers/rabbitmq/servers.ts";
import { BrokerError } from "../../src/errors.ts";

const NODES = ["one", "two", "three"].map((host) => ({ host, port: 5672, address: `amqp://${host}:5672` }));
const away = (host: string): BrokerError => new BrokerError("ERR_CONNECT_FAILED", `${host} is away.`);

describe("the servers of a cluster", () => {
  test("are tried in turn, from the one after that which was tried last", async () => {
    const servers = new Servers(NODES, 1);
    const tried: string[] = [];
    const opened = (up: string): Promise<string> =>
      servers.open(async ({ host }) => {
        tried.push(host);
        if (host !== up) throw away(host);
        return host;
      });
    expect(await opened("two")).toBe("two");
    expect(await opened("one")).toBe("one");
    expect(await opened("one")).toBe("one");
    expect(tried).toEqual(["two", "three", "one", "two", "three", "one"]);
  });

  test("are each tried once, and all said to be away", async () => {
    const failing = new Servers(NODES, 2).open(async ({ host }) => {
      throw away(host);
    });
    await expect(failing).rejects.toMatchObject({
      code: "ERR_CONNECT_FAILED",
      retryable: true,
      message: expect.stringMatching(/three is away.*one is away.*two is away/),
    });
  });

  test("refuse as the one that refuses, whichever are away", async () => {
    const failing = new Servers(NODES, 0).open(async ({ host }) => {
      throw host === "two" ? new BrokerError("ERR_AUTHENTICATION", "Refused.") : away(host);
    });
    await expect(failing).rejects.toMatchObject({
      code: "ERR_AUTHENTICATION",
      retryable: false,
      cause: { code: "ERR_AUTHENTICATION" },
    });
  });

  test("are begun with any of them", () => {
    const first = async (): Promise<string> => new Servers(NODES).open(async ({ host }) => host);
    return expect(Promise.all(Array.from({ length: 100 }, first)).then((hosts) => new Set(hosts).size)).resolves.toBe(
      NODES.length,
    );
  });
});
