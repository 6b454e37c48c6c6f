import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { BrokerError } from "../../errors.ts";
import { isChallenge, newChallenge, proofOf, provesSecret } from "./handshake.ts";
import { parseAddress } from "./options.ts";
import { WIRE_HEADERS, WIRE_PATHS } from "./wire.ts";

/** How long a peer may take to shake hands, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 5_000;

/** The longest time that Node's timers keep, in milliseconds. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Largest answer that is read, in bytes; the answer to a call may hold many dead letters. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** One request over a {@link Link}. */
export interface LinkRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Called when the other side answers `102`: it has taken charge, and the final answer follows. */
  onProcessing?: () => void;
  /** Give up after this long without a word: a connection, a `102` or the final answer, in milliseconds. */
  readonly timeoutMs: number;
  /** The same until the first `102`. Default `timeoutMs`. */
  readonly acceptTimeoutMs?: number;
}

/** The final answer to a {@link LinkRequest}. */
export interface LinkAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Keeps its connection whatever idle limit the other side announces: with the connection goes what was proved on it. */
class OneConnection extends Agent {
  constructor() {
    super({ keepAlive: true, maxSockets: 1 });
  }

  override keepSocketAlive(connection: Duplex): boolean {
    const socket = connection as Socket;
    socket.setTimeout(0);
    socket.setKeepAlive(true);
    socket.unref();
    return true;
  }
}

/**
 * One kept-alive connection to a peer, for one request at a time. With a secret, both sides prove that they know it
 * before anything else is sent.
 */
export class Link {
  readonly #address: string;
  readonly #agent = new OneConnection();
  /** The connection that shook hands: a request that would go out on another is not sent. */
  #socket: Socket | undefined;
  #broken = false;

  constructor(address: string) {
    this.#address = address;
  }

  /** Whether another request can go out on it. */
  get usable(): boolean {
    return !this.#broken;
  }

  close(): void {
    this.#broken = true;
    this.#agent.destroy();
  }

  /** Sends a request and waits for its final answer. Rejects with the network's error; the link is unusable then. */
  send(what: LinkRequest): Promise<LinkAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#broken) throw networkError("ECONNRESET", "the connection was lost");
      const { host, port } = parseAddress(this.#address);
      let limit = Math.min(what.acceptTimeoutMs ?? what.timeoutMs, MAX_TIMEOUT_MS);
      const outgoing = request({
        agent: this.#agent,
        host,
        port,
        method: "POST",
        path: what.path,
        headers: { ...what.headers, "Content-Length": Buffer.byteLength(what.body) },
        timeout: limit,
      });
      const fail = (error: Error) => {
        this.close();
        reject(error);
      };
      outgoing.on("error", fail);
      // The headers are written with the body, so that an untrusted connection sees nothing of the message.
      outgoing.once("socket", (socket) => {
        if (this.#socket === undefined) this.#adopt(socket);
        if (socket === this.#socket) outgoing.end(what.body);
        else outgoing.destroy(networkError("ECONNRESET", "the connection was lost"));
      });
      outgoing.on("information", ({ statusCode }) => {
        if (statusCode !== 102) return;
        limit = Math.min(what.timeoutMs, MAX_TIMEOUT_MS);
        outgoing.setTimeout(limit);
        what.onProcessing?.();
      });
      outgoing.once("response", (response) => {
        readText(response).then(
          (text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
          fail,
        );
      });
      // Nobody asked for another protocol. Unheard, this would end the request without any event.
      outgoing.once("upgrade", (_response, socket) => {
        socket.destroy();
        fail(networkError("EPROTO", "it answered with another protocol"));
      });
      outgoing.on("timeout", () => outgoing.destroy(networkError("ETIMEDOUT", `no answer within ${limit} ms`)));
    });
  }

  /**
   * Proves the secret, and demands the same.
   * @throws BrokerError `ERR_AUTHENTICATION`; otherwise the network's error. The link is unusable then.
   */
  async shakeHands(secret: Uint8Array): Promise<void> {
    try {
      await this.#shakeHands(secret);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  // A connection that the other side closes while it is idle must not be taken for a usable one.
  #adopt(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.once("close", () => this.close());
  }

  async #shakeHands(secret: Uint8Array): Promise<void> {
    const clientChallenge = newChallenge();
    const hello = await this.#post(WIRE_PATHS.hello, { [WIRE_HEADERS.challenge]: clientChallenge });
    const serverChallenge = hello.headers[WIRE_HEADERS.challenge];
    if (hello.status !== 200 || !isChallenge(serverChallenge))
      throw this.#refused(`it answered the greeting with status ${hello.status}`);
    const handshake = { address: this.#address, clientChallenge, serverChallenge };
    if (!provesSecret(hello.headers[WIRE_HEADERS.proof], secret, "server", handshake))
      throw this.#refused("it could not prove that it knows the shared secret");
    const proved = await this.#post(WIRE_PATHS.prove, { [WIRE_HEADERS.proof]: proofOf(secret, "client", handshake) });
    if (proved.status !== 204) throw this.#refused(`it refused this side's proof with status ${proved.status}`);
  }

  #post(path: string, headers: Record<string, string>): Promise<LinkAnswer> {
    return this.send({ path, headers, body: "", timeoutMs: HANDSHAKE_TIMEOUT_MS });
  }

  #refused(why: string): BrokerError {
    return new BrokerError("ERR_AUTHENTICATION", `The peer at ${this.#address} is not trusted: ${why}.`, {
      driver: "http",
    });
  }
}

/** Whether a connection broke, as opposed to a process that is gone (refused) or hangs (no answer in time). */
export function isCut(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "ECONNRESET" || code === "EPIPE";
}

function networkError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
