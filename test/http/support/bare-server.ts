import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { onTestFinished } from "vitest";

/** A server that is no Tidings: it notes what it gets, byte for byte, and answers each request as it is told. */
export interface BareServer {
  readonly address: string;
  /** Complete requests, as they came. */
  readonly requests: { readonly head: string; readonly body: string }[];
  /** Everything that came, over all connections. */
  readonly bytes: string;
}

/**
 * Opens a server; it is closed when the test ends. `answer` gets the head and body of each request; default: go-micro's 200.
 * With `tls` nothing of what comes before the encryption is noted.
 */
export async function bareServer(
  answer: (head: string, body: string, socket: Socket) => string | undefined = () =>
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  tls?: TlsOptions,
): Promise<BareServer> {
  const requests: { head: string; body: string }[] = [];
  const sockets = new Set<Socket>();
  const state = { bytes: "" };
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      state.bytes += chunk.toString("latin1");
      received = Buffer.concat([received, chunk]);
      for (;;) {
        const end = received.indexOf("\r\n\r\n");
        if (end === -1) return;
        const head = received.subarray(0, end).toString("latin1");
        const length = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
        if (received.length < end + 4 + length) return;
        const body = received.subarray(end + 4, end + 4 + length).toString("utf8");
        received = received.subarray(end + 4 + length);
        requests.push({ head, body });
        const text = answer(head, body, socket);
        if (text !== undefined) socket.write(text);
      }
    });
  };
  const server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get bytes() {
      return state.bytes;
    },
  };
}
