import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { BrokerError } from "../../errors.ts";
import { type Handshake, isChallenge, newChallenge, proofOf, provesSecret } from "./handshake.ts";
import {
  type Address,
  formatAddress,
  type HttpLimits,
  isLoopback,
  isWildcard,
  parseAddress,
  reachableHost,
} from "./options.ts";
import { sendGoError, sendJson, sendStatus } from "./server-answers.ts";
import { STATUS, WIRE_HEADERS, WIRE_PATHS } from "./wire.ts";

/** What a {@link PeerServer} is told. */
export interface ServerOptions {
  readonly listen: Address;
  readonly advertise: Address | undefined;
  /** What peers must prove; `undefined`: nothing. */
  readonly secret: Uint8Array | undefined;
  /** Whether requests in go-micro's form are taken from peers that prove nothing. */
  readonly acceptsGoMicro: boolean;
  readonly limits: Required<HttpLimits>;
  readonly maxBodyBytes: number;
}

/** What a {@link PeerServer} hands on, once a request is complete and may be trusted. */
export interface ServerHandlers {
  message(subscriptionId: string, request: IncomingMessage, text: string, response: ServerResponse): void;
  /** Answers a call of a peer. */
  call(name: string, argument: unknown): Promise<unknown>;
}

/** The HTTP server of one broker: trust, limits and routing; what requests mean is decided by its handlers. */
export class PeerServer {
  readonly #options: ServerOptions;
  readonly #handlers: ServerHandlers;
  readonly #server: Server;
  /** Handshakes that wait for the client's proof. */
  readonly #greeted = new WeakMap<Socket, Handshake>();
  readonly #trusted = new WeakSet<Socket>();
  #bound: Address = { host: "", port: 0 };

  constructor(options: ServerOptions, handlers: ServerHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const { maxHeaderBytes, headersTimeoutMs, requestTimeoutMs, idleTimeoutMs, maxConnections } = options.limits;
    this.#server = createServer(
      {
        maxHeaderSize: maxHeaderBytes,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: idleTimeoutMs,
        connectionsCheckingInterval: Math.max(50, Math.min(1_000, headersTimeoutMs, requestTimeoutMs)),
        noDelay: true,
      },
      (request, response) => this.#handle(request, response),
    );
    this.#server.maxConnections = maxConnections;
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      if (!socket.writable) return void socket.destroy();
      const status =
        error.code === "HPE_HEADER_OVERFLOW"
          ? "431 Request Header Fields Too Large"
          : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
            ? "408 Request Timeout"
            : "400 Bad Request";
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    });
  }

  /** Where peers reach it. */
  get address(): Address {
    const { advertise } = this.#options;
    if (advertise !== undefined)
      return advertise.port === 0 ? { host: advertise.host, port: this.#bound.port } : advertise;
    return isWildcard(this.#bound.host) ? { host: reachableHost(), port: this.#bound.port } : this.#bound;
  }

  /** @throws BrokerError `ERR_ADDRESS_IN_USE`, `ERR_CONNECT_FAILED` */
  listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const text = formatAddress({ host, port });
        if (error.code === "EADDRINUSE")
          reject(
            new BrokerError(
              "ERR_ADDRESS_IN_USE",
              `Another program listens on ${text}; choose another port, or 0 for any free one.`,
              { driver: "http", cause: error },
            ),
          );
        else
          reject(
            new BrokerError("ERR_CONNECT_FAILED", `Listening on ${text} failed: ${error.message}.`, {
              driver: "http",
              retryable: false,
              cause: error,
            }),
          );
      });
      this.#server.listen(port, host, () => {
        this.#server.removeAllListeners("error");
        const { address, port: bound } = this.#server.address() as AddressInfo;
        this.#bound = { host: address, port: bound };
        resolve();
      });
    });
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return this.#refuse(response, STATUS.forbidden, refusal);
    if (request.method !== "POST") return sendGoError(response, 405, "Method not allowed");
    const [path = "/", query = ""] = (request.url ?? "/").split("?", 2);
    if (path === WIRE_PATHS.hello) return this.#hello(request, response);
    if (path === WIRE_PATHS.prove) return this.#prove(request, response);
    const fromPeer = request.headers[WIRE_HEADERS.id] !== undefined || path.startsWith(WIRE_PATHS.call);
    if (!this.#mayEnter(request.socket, fromPeer)) {
      return this.#refuse(
        response,
        STATUS.unauthenticated,
        'prove the shared secret first, or ask for wire "go-micro" on this side',
      );
    }
    this.#read(request, response, (text) => {
      if (path.startsWith(WIRE_PATHS.call)) this.#call(path.slice(WIRE_PATHS.call.length), text, response);
      else this.#handlers.message(new URLSearchParams(query).get("id") ?? "", request, text, response);
    });
  }

  /** Why a request is refused whoever sends it: it comes from a web page, or through a name that is not this server's. */
  #refusal(request: IncomingMessage): string | undefined {
    if (request.headers.origin !== undefined) return "requests of web pages are refused";
    const { host } = request.headers;
    if (host === undefined || !this.#ownHost(host)) return "the Host header names another server";
    return undefined;
  }

  #ownHost(header: string): boolean {
    let named: Address;
    try {
      named = parseAddress(header);
    } catch {
      // Not host:port: no peer writes that.
      return false;
    }
    if (header === formatAddress(this.address)) return true;
    if (named.port !== this.#bound.port) return false;
    if (named.host === this.#bound.host) return true;
    if (named.host === "localhost") return isLoopback(this.#bound.host);
    // A wildcard listener is reached by any address of the host, but not by a name that somebody else's DNS may hold.
    return isWildcard(this.#bound.host) && /^[0-9.]+$|:/.test(named.host);
  }

  #mayEnter(socket: Socket, fromPeer: boolean): boolean {
    if (this.#options.secret === undefined || this.#trusted.has(socket)) return true;
    return this.#options.acceptsGoMicro && !fromPeer;
  }

  #hello(request: IncomingMessage, response: ServerResponse): void {
    const clientChallenge = request.headers[WIRE_HEADERS.challenge];
    if (!isChallenge(clientChallenge))
      return sendStatus(response, 400, "a greeting carries a challenge of 64 hexadecimal digits");
    const { secret } = this.#options;
    if (secret === undefined) return sendStatus(response, STATUS.forbidden, "this peer has no secret to prove");
    const handshake = { address: formatAddress(this.address), clientChallenge, serverChallenge: newChallenge() };
    this.#greeted.set(request.socket, handshake);
    request.resume();
    response
      .writeHead(200, {
        [WIRE_HEADERS.challenge]: handshake.serverChallenge,
        [WIRE_HEADERS.proof]: proofOf(secret, "server", handshake),
        "Content-Length": 0,
      })
      .end();
  }

  #prove(request: IncomingMessage, response: ServerResponse): void {
    const handshake = this.#greeted.get(request.socket);
    this.#greeted.delete(request.socket);
    const { secret } = this.#options;
    if (
      handshake === undefined ||
      secret === undefined ||
      !provesSecret(request.headers[WIRE_HEADERS.proof], secret, "client", handshake)
    ) {
      return this.#refuse(response, STATUS.unauthenticated, "the proof is wrong");
    }
    this.#trusted.add(request.socket);
    request.resume();
    response.writeHead(204).end();
  }

  #call(name: string, text: string, response: ServerResponse): void {
    let argument: unknown;
    try {
      argument = JSON.parse(text);
    } catch (error) {
      return sendStatus(response, 400, (error as Error).message);
    }
    this.#handlers.call(name, argument).then(
      (result) => sendJson(response, result ?? null),
      (error: unknown) => sendStatus(response, 500, (error as Error).message),
    );
  }

  /** Reads the body within its limit. A peer that leaves half-way is forgotten with its request. */
  #read(request: IncomingMessage, response: ServerResponse, done: (text: string) => void): void {
    const { maxBodyBytes } = this.#options;
    const tooLarge = () => this.#refuse(response, STATUS.tooLarge, `the body is larger than ${maxBodyBytes} bytes`);
    if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) return tooLarge();
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes <= maxBodyBytes) chunks.push(chunk);
      else if (!response.headersSent) tooLarge();
    });
    request.on("error", () => response.destroy());
    request.on("end", () => {
      if (bytes <= maxBodyBytes) done(Buffer.concat(chunks).toString("utf8"));
    });
  }

  /** Refuses a request with its body unread, which costs it the connection. */
  #refuse(response: ServerResponse, status: number, reason: string): void {
    response.shouldKeepAlive = false;
    sendStatus(response, status, reason);
  }
}
