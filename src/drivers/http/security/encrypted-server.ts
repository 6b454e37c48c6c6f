import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket, TlsOptions } from "node:tls";
import { refuseUpgrade } from "../wire/accept.ts";
import type { SecurityKind } from "./security.ts";
import { cameInPlain, plainRefusal, TLS_HANDSHAKE_BYTE, tlsReason } from "./tls-reasons.ts";

const UNAUTHORIZED = 401;

/** What an encrypted server is told. */
export interface EncryptedServerOptions {
  readonly http: ServerOptions;
  readonly tls: TlsOptions;
  readonly kind: SecurityKind;
  /** How long a connection may take from its beginning until it is encrypted, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Notes that a connection was not let in: why, and from which host. */
  refused(why: string, from: string | undefined): void;
}

/** An HTTPS server that tells whoever comes without encryption why that is no use. */
export interface EncryptedServer {
  readonly server: Server;
  /** Ends the connections that are not encrypted yet: the server itself does not know them. */
  closePending(): void;
}

/** Makes an HTTPS server; it does not listen yet. */
export function encryptedServer(options: EncryptedServerOptions): EncryptedServer {
  const { kind, handshakeTimeoutMs, refused } = options;
  const server = createServer(
    { ...options.http, ...options.tls, handshakeTimeout: handshakeTimeoutMs },
    (request, response) => options.handle(request, response),
  );
  const pending = new Map<string, Socket>();
  // TLS gets a connection once its first byte has shown that it is for it.
  const encrypt = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const key = endOf(socket);
    const from = socket.remoteAddress;
    pending.set(key, socket);
    socket.once("close", () => pending.delete(key));
    socket.on("error", () => socket.destroy());
    const tooLate = () => socket.destroy();
    socket.setTimeout(handshakeTimeoutMs, tooLate);
    socket.once("data", (first: Buffer) => {
      socket.setTimeout(0);
      socket.off("timeout", tooLate);
      if (first[0] !== TLS_HANDSHAKE_BYTE) {
        refused(cameInPlain(kind), from);
        return refuseUpgrade(socket, UNAUTHORIZED, plainRefusal(kind));
      }
      socket.pause();
      socket.unshift(first);
      for (const listener of encrypt) listener.call(server, socket);
    });
  });
  server.on("tlsClientError", (error, socket) => {
    const broken = kind === "secret" ? undefined : brokenOff("during");
    const why = tlsReason(error, kind) ?? broken;
    if (why !== undefined) refused(why, socket.remoteAddress);
    socket.destroy();
  });
  noteSilentOnes(server, (socket) => {
    pending.delete(endOf(socket));
    return kind === "secret" ? undefined : (from) => refused(brokenOff("right after"), from);
  });
  return {
    server,
    closePending() {
      for (const socket of pending.values()) socket.destroy();
    },
  };
}

/**
 * A client that does not trust a certificate ends the connection once TLS stands, and there is no word for that.
 * @param begins told of each connection as TLS stands; returns what is to be done if it ends without a request
 */
function noteSilentOnes(
  server: Server,
  begins: (socket: TLSSocket) => ((from: string | undefined) => void) | undefined,
): void {
  const asked = new WeakSet<object>();
  server.prependListener("request", ({ socket }: IncomingMessage) => asked.add(socket));
  server.prependListener("upgrade", ({ socket }: IncomingMessage) => asked.add(socket));
  server.prependListener("secureConnection", (socket) => {
    const silent = begins(socket);
    const from = socket.remoteAddress;
    if (silent !== undefined) socket.once("close", () => asked.has(socket) || silent(from));
  });
}

function brokenOff(when: string): string {
  return `it ended the connection ${when} the handshake: it may not trust the certificate of this process`;
}

/** The other end of a connection: no two at a time have the same. */
function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
