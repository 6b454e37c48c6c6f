import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { BrokerError, describeError } from "../../errors.ts";
import { type Address, formatAddress, isLoopback, isWildcard, parseAddress, reachableHost } from "./address.ts";
import type { HttpLimits } from "./options.ts";
import { type EncryptedServer, encryptedServer } from "./security/encrypted-server.ts";
import type { Security } from "./security/security.ts";
import { NO_TLS_HERE, TLS_HANDSHAKE_BYTE } from "./security/tls-reasons.ts";
import { sendGoError, sendStatus } from "./server-answers.ts";
import { refuseUpgrade } from "./wire/accept.ts";

const UNAUTHORIZED = 401;
const FORBIDDEN = 403;

/** What a {@link PeerServer} is told. */
export interface ServerOptions {
  readonly listen: Address;
  readonly advertise: Address | undefined;
  /** Whether requests in go-micro's form are taken. */
  readonly acceptsGoMicro: boolean;
  readonly limits: Required<HttpLimits>;
  readonly maxBodyBytes: number;
  /** How its connections are protected. */
  readonly security: Pick<Security, "kind" | "server" | "admits">;
  /** Notes that a connection was not let in: why, and from which host. */
  refused(why: string, from: string | undefined): void;
}

/** What a {@link PeerServer} hands on, once it is known that it comes from where it may. */
export interface ServerHandlers {
  /** A complete message of a go-micro peer. */
  message(subscriptionId: string, text: string, response: ServerResponse): void;
  /** A request for the wire between Tidings peers, which prove themselves there. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** The HTTP server of one broker: limits, and who may come from where. What requests mean is decided by its handlers. */
export class PeerServer {
  readonly #options: ServerOptions;
  readonly #handlers: ServerHandlers;
  readonly #server: Server | EncryptedServer["server"];
  readonly #encrypted: EncryptedServer | undefined;
  #bound: Address = { host: "", port: 0 };

  constructor(options: ServerOptions, handlers: ServerHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const { maxHeaderBytes, headersTimeoutMs, requestTimeoutMs, idleTimeoutMs, maxConnections } = options.limits;
    const http = {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, headersTimeoutMs, requestTimeoutMs)),
      noDelay: true,
    };
    const handle = (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response);
    const { kind, server: tls } = options.security;
    if (tls === undefined) this.#server = createServer(http, handle);
    else {
      const { handshakeTimeoutMs } = options.limits;
      this.#encrypted = encryptedServer({ http, tls, kind, handshakeTimeoutMs, handle, refused: options.refused });
      this.#server = this.#encrypted.server;
    }
    this.#server.maxConnections = maxConnections;
    this.#server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const refusal = this.#refusal(request);
      if (refusal === undefined) this.#handlers.upgrade(request, socket, head);
      else refuseUpgrade(socket, FORBIDDEN, refusal);
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      if (isTlsHello(error)) options.refused(NO_TLS_HERE, (socket as Socket).remoteAddress);
      // Where TLS failed, what this answer would be encrypted with is not there.
      if (!socket.writable || /^ERR_(SSL|TLS)_/.test(error.code ?? "")) return void socket.destroy();
      const status =
        error.code === "HPE_HEADER_OVERFLOW"
          ? "431 Request Header Fields Too Large"
          : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
            ? "408 Request Timeout"
            : "400 Bad Request";
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    });
  }

  /** Where it listens. */
  get listening(): Address {
    return this.#bound;
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
      // In a worker of node:cluster too it is this process that is reached: the others have addresses of their own.
      this.#server.listen({ port, host, exclusive: true }, () => {
        this.#server.removeAllListeners("error");
        const { address, port: bound } = this.#server.address() as AddressInfo;
        this.#bound = { host: address, port: bound };
        resolve();
      });
    });
  }

  /** Stops listening and closes every connection but those of the wire, which end by themselves. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
      this.#encrypted?.closePending();
    });
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return this.#refuse(response, FORBIDDEN, refusal);
    if (request.method !== "POST") return sendGoError(response, 405, "Method not allowed");
    if (!this.#options.acceptsGoMicro)
      return this.#refuse(
        response,
        UNAUTHORIZED,
        'messages come over the wire of Tidings, or with wire "go-micro" on this side',
      );
    const admitted = this.#options.security.admits(request.socket, "");
    if (admitted === undefined) return this.#take(request, response);
    const refuse = (why: string) => {
      this.#options.refused(why, request.socket.remoteAddress);
      this.#refuse(response, UNAUTHORIZED, why);
    };
    admitted.then(
      (why) => (why === undefined ? this.#take(request, response) : refuse(why)),
      (error: unknown) => refuse(describeError(error)),
    );
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const [, query = ""] = (request.url ?? "/").split("?", 2);
    this.#read(request, response, (text) =>
      this.#handlers.message(new URLSearchParams(query).get("id") ?? "", text, response),
    );
  }

  /** Why a request is refused whoever sends it: it comes from a web page, or through a name that is not this server's. */
  #refusal(request: IncomingMessage): string | undefined {
    const why = this.#foreign(request);
    if (why !== undefined) this.#options.refused(why, request.socket.remoteAddress);
    return why;
  }

  #foreign({ headers: { origin, host } }: IncomingMessage): string | undefined {
    if (origin !== undefined) return "requests of web pages are refused";
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

  /** Reads the body within its limit. A peer that leaves half-way is forgotten with its request. */
  #read(request: IncomingMessage, response: ServerResponse, done: (text: string) => void): void {
    const { maxBodyBytes } = this.#options;
    const tooLarge = () => this.#refuse(response, 413, `the body is larger than ${maxBodyBytes} bytes`);
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

/** Whether what is no request is the beginning of TLS. */
function isTlsHello(error: Error): boolean {
  const { rawPacket } = error as { rawPacket?: Uint8Array };
  return rawPacket?.[0] === TLS_HANDSHAKE_BYTE;
}
