import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { BrokerError } from "../../../errors.ts";
import type { Clock } from "../../../internal/clock.ts";
import { parseAddress } from "../address.ts";
import type { Security } from "../security/security.ts";
import type { ByteReader } from "./byte-reader.ts";
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
import { openSocket, untrusted } from "./socket.ts";
import type { Turn } from "./turn.ts";
import { type Terms, WireConnection } from "./wire-connection.ts";

/** What this side brings to a handshake. */
export interface OwnSide {
  readonly terms: Terms;
  /** What both sides must prove; `undefined`: nothing. */
  readonly secret: Uint8Array | undefined;
  readonly clock: Clock;
  /** When connections send what was written. */
  readonly turn: Turn;
  /** How connections are protected. */
  readonly security: Security;
  /** How long a handshake may take, that of TLS included, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** Notes that a connection was not let in: why, and from which host. */
  refused(why: string, from: string | undefined): void;
}

/** The longest answer of a refusal that is read, in bytes, and the longest reason of it that is shown, in characters. */
const REFUSAL = { bytes: 4_096, characters: 200 } as const;

/** The other side has a connection to this one already, or is about to open one. */
export class DuplicateError extends Error {
  override readonly name: string = "DuplicateError";
}

/** A connection that is being opened. */
export interface Dial {
  /**
   * Resolves when the other side has welcomed this one. Rejects with `DuplicateError`, with `BrokerError`
   * `ERR_AUTHENTICATION` or `ERR_UNSUPPORTED`, or with the network's error; nothing is left then.
   */
  readonly done: Promise<void>;
  /** Gives up. */
  cancel(): void;
}

/**
 * Opens a connection to a peer: an HTTP request that asks for the wire, the proofs of both sides, and the other side's
 * welcome. `established` gets the connection before its next frame, and hands it to its owner or ends it.
 */
export function dial(address: string, own: OwnSide, established: (connection: WireConnection) => void): Dial {
  let cancel = () => {};
  const done = new Promise<void>((resolve, reject) => {
    const clientChallenge = newChallenge();
    const opening = openSocket(parseAddress(address), own.security);
    const outgoing = request({
      createConnection: (_options, opened) => {
        opening.done.then(
          (socket) => opened(null, socket),
          // Only the error counts; the types want a connection too.
          (error: Error) => opened(error, undefined as never),
        );
        return undefined;
      },
      method: "GET",
      path: WIRE_PATH,
      headers: {
        Host: address,
        Connection: "Upgrade",
        Upgrade: WIRE_PROTOCOL,
        [HANDSHAKE_HEADERS.versions]: WIRE_VERSION,
        ...writeTerms(own.terms),
        ...(own.secret === undefined ? {} : { [HANDSHAKE_HEADERS.challenge]: clientChallenge }),
      },
    });
    let opened: WireConnection | undefined;
    const settled = () => timer.cancel();
    const fail = (error: Error) => {
      settled();
      opening.cancel();
      outgoing.destroy();
      opened?.destroy();
      reject(error);
    };
    cancel = () => fail(networkError("ECONNABORTED", "the broker is disconnecting"));
    const timer = own.clock.after(own.handshakeTimeoutMs, () =>
      fail(networkError("ETIMEDOUT", `it did not shake hands within ${own.handshakeTimeoutMs} ms`)),
    );
    outgoing.on("error", fail);
    outgoing.on("response", (response) => {
      void refused(address, response).then(fail);
    });
    outgoing.on("upgrade", (response, socket: Duplex, head) => {
      try {
        opened = upgraded(address, own, clientChallenge, response, socket);
      } catch (error) {
        socket.destroy();
        return fail(error as Error);
      }
      const connection = opened;
      awaitWelcome(connection, head, fail, () => {
        settled();
        established(connection);
        resolve();
      });
    });
    outgoing.end();
  });
  return { done, cancel };
}

/** Whether a connection broke, as opposed to a process that is gone (refused) or hangs (no answer in time). */
export function isCut(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "ECONNRESET" || code === "EPIPE";
}

/** Checks the server's answer, and proves this side. */
function upgraded(
  address: string,
  own: OwnSide,
  clientChallenge: string,
  { headers }: IncomingMessage,
  socket: Duplex,
): WireConnection {
  const terms = readTerms(headers);
  const version = headers[HANDSHAKE_HEADERS.versions];
  if (terms === undefined || version !== WIRE_VERSION) throw unsupported(address, `it answers with ${String(version)}`);
  const connection = new WireConnection(socket, terms, true, maxFrameBytes(own.terms.maxMessageBytes), own);
  let proof: Buffer = Buffer.alloc(0);
  if (own.secret !== undefined) {
    const serverChallenge = headers[HANDSHAKE_HEADERS.challenge];
    if (!isChallenge(serverChallenge)) throw untrusted(address, "it has no challenge");
    const handshake: Handshake = {
      address,
      versions: WIRE_VERSION,
      version,
      clientPeer: own.terms.peerId,
      serverPeer: terms.peerId,
      clientChallenge,
      serverChallenge,
      channel: channelOf(socket),
    };
    const shown = Buffer.from(String(headers[HANDSHAKE_HEADERS.proof] ?? ""), "hex");
    if (!provesSecret(shown, own.secret, "server", handshake))
      throw untrusted(address, "it could not prove that it knows the shared secret");
    proof = proofOf(own.secret, "client", handshake);
  }
  connection.writer.begin(FRAME.proof, proof.length);
  connection.writer.rest(proof);
  connection.writer.finish();
  connection.flush();
  return connection;
}

/** Waits for the first frame: a welcome, or a farewell. */
function awaitWelcome(
  connection: WireConnection,
  head: Buffer,
  fail: (error: Error) => void,
  welcomed: () => void,
): void {
  connection.start(
    {
      frame(type: number, reader: ByteReader) {
        if (type === FRAME.welcome) return welcomed();
        if (type !== FRAME.goodbye) throw new WireError("the first frame is no welcome");
        const code = reader.byte();
        const why = reader.restText();
        fail(
          code === GOODBYE.duplicate
            ? new DuplicateError("there is another connection")
            : untrusted(connection.terms.address, `it said ${JSON.stringify(why)}`),
        );
      },
      chunkBegins() {},
      chunkEnds() {},
      beforeFlush() {},
      drained() {},
      closed: (error) => fail(error ?? networkError("ECONNRESET", "the connection was lost")),
    },
    head,
  );
}

/** What a refusal means; its own words are among it where it has some. */
async function refused(address: string, response: IncomingMessage): Promise<Error> {
  const { statusCode = 0 } = response;
  if (statusCode === 426) return unsupported(address, "it speaks other versions of the wire");
  const reason = reasonIn(await readShort(response));
  const said = `it answered with status ${statusCode}${reason === undefined ? "" : `: ${JSON.stringify(reason)}`}`;
  if (statusCode === 401 || statusCode === 403) return untrusted(address, said);
  // It is about to leave: as good as a connection that it has cut.
  if (statusCode === 503) return networkError("ECONNRESET", said);
  return new BrokerError("ERR_CONNECTION_LOST", `The peer at ${address} could not be reached: ${said}.`, {
    driver: "http",
  });
}

/** The beginning of an answer, whatever becomes of its connection. */
async function readShort(response: IncomingMessage): Promise<string> {
  let text = "";
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      text += chunk.toString("latin1");
      if (text.length >= REFUSAL.bytes) break;
    }
  } catch {
    // What was refused matters, not how well the words of it came over.
  }
  return text;
}

/** The reason in the answer of a Tidings process. */
function reasonIn(text: string): string | undefined {
  try {
    const { reason } = JSON.parse(text) as { reason?: unknown };
    return typeof reason === "string" ? reason.slice(0, REFUSAL.characters) : undefined;
  } catch {
    // Somebody else answered.
    return undefined;
  }
}

function unsupported(address: string, why: string): BrokerError {
  const message = `The peer at ${address} does not speak version ${WIRE_VERSION} of the wire: ${why}.`;
  return new BrokerError("ERR_UNSUPPORTED", message, { driver: "http" });
}

function networkError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
