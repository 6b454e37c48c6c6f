import { Agent, type ClientRequestArgs, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../../internal/clock.ts";
import { parseAddress } from "./address.ts";
import { type Dialling, type Opening, openSocket } from "./wire/socket.ts";

/** Largest answer that is read, in bytes. Nobody looks at what it says. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** How long a connection may take until it stands, encrypted where it has to be, in milliseconds. */
const OPEN_TIMEOUT_MS = 10_000;

/** One request over a {@link GoLink}. */
export interface GoRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Give up after this long without a word, in milliseconds. */
  readonly timeoutMs: number;
}

/** Opens its connection as it is told to, and keeps it whatever idle limit the other side announces. */
class OneConnection extends Agent {
  readonly #open: () => Promise<Socket>;

  constructor(open: () => Promise<Socket>) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#open = open;
  }

  override createConnection(
    _options: ClientRequestArgs,
    opened: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    this.#open().then(
      (socket) => opened(null, socket),
      // With an error nobody looks at the socket, which the types ask for all the same.
      (error: Error) => opened(error, undefined as unknown as Duplex),
    );
  }

  override keepSocketAlive(connection: Duplex): boolean {
    const socket = connection as Socket;
    socket.setTimeout(0);
    socket.setKeepAlive(true);
    socket.unref();
    return true;
  }
}

/** One kept-alive connection to a go-micro peer, for one request at a time. */
export class GoLink {
  readonly #address: string;
  readonly #dialling: Dialling;
  readonly #clock: Clock;
  readonly #agent: OneConnection;
  #opening: Opening | undefined;
  #socket: Socket | undefined;
  #broken = false;

  constructor(address: string, dialling: Dialling, clock: Clock) {
    this.#address = address;
    this.#dialling = dialling;
    this.#clock = clock;
    this.#agent = new OneConnection(() => this.#open());
  }

  /** Whether another request can go out on it. */
  get usable(): boolean {
    return !this.#broken;
  }

  close(): void {
    this.#broken = true;
    this.#opening?.cancel();
    this.#agent.destroy();
  }

  /** Sends a request and waits for its answer, whatever it is. Rejects with the network's error; the link is unusable then. */
  send(what: GoRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken) throw networkError("ECONNRESET", "the connection was lost");
      const { host, port } = parseAddress(this.#address);
      const outgoing = request({
        agent: this.#agent,
        host,
        port,
        method: "POST",
        path: what.path,
        headers: { ...what.headers, "Content-Length": Buffer.byteLength(what.body) },
        timeout: what.timeoutMs,
      });
      const fail = (error: Error) => {
        this.close();
        reject(error);
      };
      outgoing.on("error", fail);
      outgoing.once("socket", (socket) => {
        if (this.#socket === undefined) this.#adopt(socket);
      });
      outgoing.once("response", (response) => {
        readToEnd(response).then(resolve, fail);
      });
      // Nobody asked for another protocol. Unheard, this would end the request without any event.
      outgoing.once("upgrade", (_response, socket) => {
        socket.destroy();
        fail(networkError("EPROTO", "it answered with another protocol"));
      });
      outgoing.on("timeout", () =>
        outgoing.destroy(networkError("ETIMEDOUT", `no answer within ${what.timeoutMs} ms`)),
      );
      outgoing.end(what.body);
    });
  }

  async #open(): Promise<Socket> {
    this.#opening = openSocket(parseAddress(this.#address), this.#dialling);
    const tooLate = this.#clock.after(OPEN_TIMEOUT_MS, () => this.#opening?.cancel());
    try {
      return await this.#opening.done;
    } finally {
      tooLate.cancel();
      this.#opening = undefined;
    }
  }

  // A connection that the other side closes while it is idle must not be taken for a usable one.
  #adopt(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.once("close", () => this.close());
  }
}

function networkError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

async function readToEnd(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
  }
}
