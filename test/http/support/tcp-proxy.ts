import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { BrokerOptions } from "../../../src/driver.ts";
import type { HttpOptions } from "../../../src/drivers/http/index.ts";
import { type OpenBroker, openBroker } from "./brokers.ts";

/** A TCP proxy in front of a broker, whose connections can be cut. */
export interface TcpProxy {
  /** Where it listens. */
  readonly address: string;
  /** How many connections go through it at the moment. */
  readonly connections: number;
  /** How many connections it has taken so far. */
  readonly accepted: number;
  /** Where it passes connections on to: set once the broker is there. */
  target: string;
  /** Breaks every connection, on both sides. Returns how many there were. */
  cut(): number;
  /** Breaks the connection at the next piece of bytes from the broker that holds a frame of this type, in place of passing it on. */
  swallow(type: number): void;
  /** Whether such a piece is still to come. */
  readonly swallowing: boolean;
}

/** Opens a proxy; it is closed when the test ends. */
async function tcpProxy(): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const state: { target: string; accepted: number; swallowed: number | undefined } = {
    target: "",
    accepted: 0,
    swallowed: undefined,
  };
  const server = createServer((near) => {
    state.accepted += 1;
    const [host = "", port = ""] = state.target.split(":");
    const far = connect({ host, port: Number(port) });
    const pair = [near, far] as const;
    pairs.add(pair);
    const close = () => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) socket.on("error", close).on("close", close).setNoDelay(true);
    near.pipe(far);
    far.on("data", (chunk: Buffer) => {
      if (state.swallowed !== undefined && typesIn(chunk).includes(state.swallowed)) {
        state.swallowed = undefined;
        near.resetAndDestroy();
        far.resetAndDestroy();
      } else near.write(chunk);
    });
    far.on("end", () => near.end());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const cut = () => {
    const cutNow = [...pairs];
    for (const [near, far] of cutNow) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    return cutNow.length;
  };
  onTestFinished(async () => {
    cut();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return pairs.size;
    },
    get accepted() {
      return state.accepted;
    },
    get target() {
      return state.target;
    },
    set target(address: string) {
      state.target = address;
    },
    cut,
    swallow(type) {
      state.swallowed = type;
    },
    get swallowing() {
      return state.swallowed !== undefined;
    },
  };
}

/** The types of the frames in a piece that begins with one, as a side's writes do. */
function typesIn(chunk: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 5 <= chunk.length; at += 4 + chunk.readUInt32LE(at)) types.push(chunk[at + 4] as number);
  return types;
}

/** How often another port is tried when somebody took the one that was free a moment ago. */
const MAX_PORTS = 20;

/** Connects a broker whose peers reach it only through a proxy. */
export async function proxiedBroker(
  folder: string,
  own: HttpOptions = {},
  options: BrokerOptions = {},
): Promise<OpenBroker & { readonly proxy: TcpProxy }> {
  const proxy = await tcpProxy();
  for (let left = MAX_PORTS; ; left -= 1) {
    proxy.target = await freeAddress();
    try {
      const opened = await openBroker(folder, { address: proxy.target, advertise: proxy.address, ...own }, options);
      return { ...opened, proxy };
    } catch (error) {
      if (left === 0 || (error as { code?: string }).code !== "ERR_ADDRESS_IN_USE") throw error;
    }
  }
}

async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return `127.0.0.1:${port}`;
}
