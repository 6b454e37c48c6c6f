import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { describeError } from "../../../errors.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { OwnSide } from "./dial.ts";
import { FRAME, GOODBYE, maxFrameBytes, WIRE_VERSION, WireError } from "./frames.ts";
import {
  channelOf,
  HANDSHAKE_HEADERS,
  type Handshake,
  isChallenge,
  newChallenge,
  proofOf,
  provesSecret,
  readTerms,
  WIRE_PATH,
  WIRE_PROTOCOL,
  writeTerms,
} from "./handshake.ts";
import { type Terms, WireConnection } from "./wire-connection.ts";

/** Takes connections of peers, from the request that asks for the wire until the proof that it is one. */
export class Acceptor {
  readonly #own: () => OwnSide;
  readonly #established: (connection: WireConnection) => void;
  /** Connections whose proof has not come yet. */
  readonly #pending = new Set<Duplex>();
  #closed = false;

  /**
   * @param own looked at for each connection
   * @param established gets each proved connection, welcomes it and hands it to its owner, or ends it.
   */
  constructor(own: () => OwnSide, established: (connection: WireConnection) => void) {
    this.#own = own;
    this.#established = established;
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#pending) socket.destroy();
    this.#pending.clear();
  }

  /** Handles a request for another protocol. Whether it may come from where it comes from was looked at before. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { headers, method, url } = request;
    const { secret, security } = this.#own();
    if (method !== "GET" || url !== WIRE_PATH || headers.upgrade?.toLowerCase() !== WIRE_PROTOCOL)
      return refuseUpgrade(socket, 400, "there is no such protocol here");
    if (this.#closed) return refuseUpgrade(socket, 503, "the broker is disconnecting");
    const versions = headers[HANDSHAKE_HEADERS.versions];
    if (typeof versions !== "string" || !versions.split(",").some((one) => one.trim() === WIRE_VERSION))
      return refuseUpgrade(socket, 426, "no version of the wire in common");
    const terms = readTerms(headers);
    if (terms === undefined) return refuseUpgrade(socket, 400, "a header of the handshake is missing or malformed");
    const clientChallenge = headers[HANDSHAKE_HEADERS.challenge];
    if (secret === undefined && clientChallenge !== undefined)
      return this.#refuse(
        socket,
        403,
        "this peer has no secret to prove",
        "it wants a secret proved, and this process has none",
      );
    if (secret !== undefined && !isChallenge(clientChallenge))
      return this.#refuse(
        socket,
        401,
        "a challenge of 64 hexadecimal digits is missing",
        "it does not want the secret proved, and this process does",
      );
    const over = this.#await(socket);
    const answer = () => this.#answer(socket, head, terms, versions, String(clientChallenge), over);
    const admission = security.admits(socket, terms.peerId);
    if (admission === undefined) return answer();
    // Until it is known who that is, nobody reads what else comes.
    socket.on("error", () => socket.destroy());
    admission.then(
      (why) => {
        if (socket.destroyed) return;
        if (why === undefined) return answer();
        over();
        this.#refuse(socket, 401, `this process does not let you in: ${why}`, why);
      },
      (error: unknown) => {
        over();
        this.#refuse(
          socket,
          503,
          "it could not be looked up who you are",
          `it could not be looked up: ${describeError(error)}`,
        );
      },
    );
  }

  /** Gives a connection a limited time to prove itself; returns what ends the wait. */
  #await(socket: Duplex): () => void {
    const { clock, handshakeTimeoutMs } = this.#own();
    this.#pending.add(socket);
    const timer = clock.after(handshakeTimeoutMs, () => socket.destroy());
    const over = () => {
      timer.cancel();
      this.#pending.delete(socket);
    };
    socket.once("close", over);
    return over;
  }

  /** Answers a request that may be one, and waits for the proof. */
  #answer(
    socket: Duplex,
    head: Buffer,
    terms: Terms,
    versions: string,
    clientChallenge: string,
    over: () => void,
  ): void {
    const { secret, terms: mine } = this.#own();
    const handshake: Handshake = {
      address: mine.address,
      versions,
      version: WIRE_VERSION,
      clientPeer: terms.peerId,
      serverPeer: mine.peerId,
      clientChallenge,
      serverChallenge: newChallenge(),
      channel: channelOf(socket),
    };
    const lines = {
      Connection: "Upgrade",
      Upgrade: WIRE_PROTOCOL,
      [HANDSHAKE_HEADERS.versions]: WIRE_VERSION,
      ...writeTerms(mine),
      ...(secret === undefined
        ? {}
        : {
            [HANDSHAKE_HEADERS.challenge]: handshake.serverChallenge,
            [HANDSHAKE_HEADERS.proof]: proofOf(secret, "server", handshake).toString("hex"),
          }),
    };
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headerLines(lines)}\r\n`);
    const unproved = () =>
      this.#own().refused("it could not prove that it knows the shared secret", (socket as Socket).remoteAddress);
    const connection = new WireConnection(socket, terms, false, maxFrameBytes(mine.maxMessageBytes), this.#own());
    connection.start(
      {
        frame: (type: number, { bytes, at, end }: ByteReader) => {
          over();
          const isProved =
            type === FRAME.proof &&
            (secret === undefined || provesSecret(bytes.subarray(at, end), secret, "client", handshake));
          if (isProved) return this.#established(connection);
          unproved();
          connection.goodbye(GOODBYE.violation, "the proof is wrong");
        },
        chunkBegins() {},
        chunkEnds() {},
        beforeFlush() {},
        drained() {},
        closed: (error) => {
          over();
          // What it sent was not even a frame.
          if (error instanceof WireError) unproved();
        },
      },
      head,
    );
  }

  /** Tells the other side why it is not let in, and this process's owner too. */
  #refuse(socket: Duplex, status: number, told: string, why: string): void {
    this.#own().refused(why, (socket as Socket).remoteAddress);
    refuseUpgrade(socket, status, told);
  }
}

/** Answers a request for another protocol with a status, which costs the connection. */
export function refuseUpgrade(socket: Duplex, status: number, reason: string): void {
  const body = JSON.stringify({ status, reason });
  const lines = {
    Connection: "close",
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    ...(status === 426 ? { Upgrade: WIRE_PROTOCOL, [HANDSHAKE_HEADERS.versions]: WIRE_VERSION } : {}),
  };
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${headerLines(lines)}\r\n${body}`, () =>
    socket.destroy(),
  );
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}
