import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { parseAddress } from "../../../src/drivers/http/address.ts";

/** Everything that one connection carried. */
interface TappedConnection {
  /** From whoever connected. */
  readonly sent: Buffer[];
  /** From whom it connected to. */
  readonly answered: Buffer[];
}

/** Somebody between two processes who hears everything. */
export interface Tap {
  readonly address: string;
  readonly connections: TappedConnection[];
  /** Where connections are passed on to: set once somebody listens there. */
  target: string;
}

/** Opens a tap; it is closed when the test ends. */
export async function tap(): Promise<Tap> {
  const made = { address: "", connections: [] as TappedConnection[], target: "" };
  const server = createServer((near) => {
    const far = connect(parseAddress(made.target));
    const connection = { sent: [] as Buffer[], answered: [] as Buffer[] };
    made.connections.push(connection);
    near.on("data", (chunk: Buffer) => {
      connection.sent.push(chunk);
      far.write(chunk);
    });
    far.on("data", (chunk: Buffer) => {
      connection.answered.push(chunk);
      near.write(chunk);
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const)
      socket.on("error", () => other.destroy()).on("close", () => other.destroy());
  });
  made.address = await listening(server);
  return made;
}

/** A server that treats each connection as a test says. It is closed, with its connections, when the test ends. */
export async function fakeServer(onConnection: (socket: Socket) => void): Promise<string> {
  return listening(
    createServer((socket) => {
      socket.on("error", () => socket.destroy());
      onConnection(socket);
    }),
  );
}

/** Listens on a free port of loopback until the test ends. */
export async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address of loopback that was free a moment ago. */
export async function freeAddress(): Promise<string> {
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
