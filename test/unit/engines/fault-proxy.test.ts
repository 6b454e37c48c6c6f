import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../src/testing/index.ts";
import { type FaultProxy, faultProxy } from "../../support/fault-proxy.ts";

/** A client's connection that keeps what it gets. */
class Client {
  readonly socket: Socket;
  /** Sizes of what came at once. */
  readonly chunks: number[] = [];
  received = "";
  error: NodeJS.ErrnoException | undefined;
  closed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("data", (chunk) => {
      this.chunks.push(chunk.length);
      this.received += chunk.toString("latin1");
    });
    this.socket.on("error", (error) => {
      this.error = error;
    });
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  has(text: string): Promise<unknown> {
    return until(() => this.received === text, {
      what: `"${text}" came back`,
      detail: () => JSON.stringify(this.received),
    });
  }

  gone(): Promise<unknown> {
    return until(() => this.closed, { what: "the connection is closed" });
  }
}

describe("the fault proxy", () => {
  const servers: Socket[] = [];
  const sizes: number[] = [];
  const clients: Client[] = [];
  const echo = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    servers.push(socket);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      sizes.push(chunk.length);
      socket.write(chunk);
    });
    socket.on("end", () => socket.end("bye"));
  });
  let proxy: FaultProxy;

  const client = (): Client => {
    const made = new Client(proxy.port);
    clients.push(made);
    return made;
  };

  beforeEach(async () => {
    echo.listen(0, "127.0.0.1");
    await once(echo, "listening");
    proxy = await faultProxy({ host: "127.0.0.1", port: (echo.address() as AddressInfo).port });
  });

  afterEach(async () => {
    await proxy.close();
    await proxy.close();
    for (const { socket } of clients.splice(0)) socket.destroy();
    for (const socket of servers.splice(0)) socket.destroy();
    sizes.length = 0;
    echo.close();
    await once(echo, "close");
  });

  test("passes bytes both ways, and the end of each side", async () => {
    const one = client();
    one.socket.write("hello");
    await one.has("hello");
    one.socket.end();
    await one.has("hellobye");
    await one.gone();
    expect(one.error).toBeUndefined();
    expect(proxy.counters).toMatchObject({ accepted: 1, open: 0, bytesUp: 5, bytesDown: 8, bytesSwallowed: 0, cut: 0 });
  });

  test("passes much in good order", async () => {
    const one = client();
    const sent = Buffer.alloc(8 * 2 ** 20, "0123456789abcdef").toString("latin1");
    one.socket.write(sent, "latin1");
    await until(() => one.received.length === sent.length, { what: "everything came back" });
    expect(one.received === sent).toBe(true);
  });

  test("puts its own address into a URL", () => {
    expect(proxy.through("nats://user:pass@10.1.2.3:4222")).toBe(`nats://user:pass@127.0.0.1:${proxy.port}`);
    expect(proxy.through("amqp://guest:guest@127.0.0.1:5672/v%2F1")).toBe(
      `amqp://guest:guest@127.0.0.1:${proxy.port}/v%2F1`,
    );
  });

  test("delays both directions, keeping the order", async () => {
    const one = client();
    await once(one.socket, "connect");
    proxy.delay(100);
    const started = performance.now();
    one.socket.write("a");
    one.socket.write("b");
    await one.has("ab");
    const tookMs = performance.now() - started;
    expect(tookMs).toBeGreaterThan(190);
    proxy.delay(0);
    one.socket.write("c");
    await one.has("abc");
  });

  test("sends byte by byte", async () => {
    const one = client();
    await once(one.socket, "connect");
    proxy.byteByByte();
    const text = "a frame in many pieces";
    one.socket.write(text);
    await one.has(text);
    expect(sizes.length).toBeGreaterThan(text.length / 2);
    await proxy.heal();
    sizes.length = 0;
    one.socket.write(text);
    await one.has(text + text);
    expect(sizes).toEqual([text.length]);
  });

  test("cuts every connection with a reset on both sides", async () => {
    const [one, two] = [client(), client()];
    for (const each of [one, two]) {
      each.socket.write("x");
      await each.has("x");
    }
    expect(proxy.cut()).toBe(2);
    await Promise.all([one.gone(), two.gone()]);
    await until(() => servers.every((socket) => socket.closed), { what: "the engine's side is closed too" });
    expect(one.error?.code).toBe("ECONNRESET");
    expect(servers.map((socket) => socket.errored)).toEqual([expect.any(Error), expect.any(Error)]);
    expect(proxy.counters).toMatchObject({ open: 0, cut: 2 });
    const three = client();
    three.socket.write("again");
    await three.has("again");
  });

  test("tells a client when the engine resets", async () => {
    const one = client();
    one.socket.write("x");
    await one.has("x");
    servers[0]?.resetAndDestroy();
    await one.gone();
    expect(one.error?.code).toBe("ECONNRESET");
  });

  test("leaves connections half open: what is sent vanishes, and nobody hears of an end", async () => {
    const one = client();
    one.socket.write("before");
    await one.has("before");
    proxy.halfOpen();
    one.socket.write("lost");
    await until(() => proxy.counters.bytesSwallowed === 4, { what: "the bytes were swallowed" });
    const two = client();
    two.socket.write("also lost");
    await until(() => proxy.counters.bytesSwallowed === 13, { what: "the new connection's bytes were swallowed" });
    one.socket.destroy();
    await one.gone();
    expect(servers).toHaveLength(1);
    expect(servers[0]?.closed).toBe(false);
    await proxy.heal();
    await until(() => servers[0]?.closed, { what: "the engine hears of the end after all" });
    two.socket.write("still lost");
    await until(() => proxy.counters.bytesSwallowed === 23, { what: "a connection that lost bytes stays silent" });
    const three = client();
    three.socket.write("whole");
    await three.has("whole");
    expect([one.received, two.received]).toEqual(["before", ""]);
  });

  test("heals a half-open connection that has lost nothing", async () => {
    const one = client();
    one.socket.write("a");
    await one.has("a");
    proxy.halfOpen();
    await proxy.heal();
    one.socket.write("b");
    await one.has("ab");
  });

  test("refuses new connections and keeps the old ones, until it accepts again", async () => {
    const old = client();
    old.socket.write("a");
    await old.has("a");
    await proxy.refuse();
    const refused = client();
    await refused.gone();
    expect(refused.error?.code).toBe("ECONNREFUSED");
    old.socket.write("b");
    await old.has("ab");
    await proxy.accept();
    await proxy.accept();
    const fresh = client();
    fresh.socket.write("c");
    await fresh.has("c");
    expect(proxy.counters.accepted).toBe(2);
  });
});
