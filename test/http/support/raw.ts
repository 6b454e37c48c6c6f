import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { parseAddress } from "../../../src/drivers/http/address.ts";
import { until } from "../../../src/testing/conformance/until.ts";

/** An answer as it came over the socket. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a raw request is made of; `Host` and `Content-Length` are added unless they are given. */
export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** A TCP connection that says exactly what it is told to, and reads answers. */
export class RawConnection {
  readonly address: string;
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;

  private constructor(address: string, socket: Socket) {
    this.address = address;
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    socket.on("end", () => {
      this.#ended = true;
    });
    socket.on("error", () => {
      this.#ended = true;
    });
    socket.on("close", () => {
      this.#ended = true;
    });
  }

  /** Connects; the connection is closed when the test ends. `stubborn` keeps its side open when the server ends. */
  static async open(address: string, options: { stubborn?: boolean } = {}): Promise<RawConnection> {
    const { host, port } = parseAddress(address);
    const socket = connect({ host, port, allowHalfOpen: options.stubborn ?? false });
    const connection = new RawConnection(address, socket);
    onTestFinished(() => {
      socket.destroy();
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return connection;
  }

  /** Whether the other side has ended or broken the connection. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What came and was not read as an answer. */
  get unread(): Buffer {
    return this.#received;
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  request(request: RawRequest): void {
    this.write(rawRequest(this.address, request));
  }

  /** The next answer, interim ones included. */
  async answer(): Promise<RawAnswer> {
    return until(() => this.#take(), {
      what: "an answer came",
      detail: () => `${this.#ended ? "closed" : "open"}, unread ${JSON.stringify(this.#received.toString("latin1"))}`,
    });
  }

  /** Sends a request and reads its answer. */
  async ask(request: RawRequest): Promise<RawAnswer> {
    this.request(request);
    return this.answer();
  }

  async closed(): Promise<void> {
    await until(() => this.#ended, { what: "the other side closed the connection" });
  }

  /** An answer if one comes, or `undefined` if the connection is closed without one. */
  async answerOrClosed(): Promise<RawAnswer | undefined> {
    const outcome = await until(() => this.#take() ?? (this.#ended ? "closed" : undefined), {
      what: "an answer came or the connection was closed",
    });
    return outcome === "closed" ? undefined : outcome;
  }

  #take(): RawAnswer | undefined {
    const end = this.#received.indexOf("\r\n\r\n");
    if (end === -1) return undefined;
    const [first = "", ...lines] = this.#received.subarray(0, end).toString("latin1").split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
    const headers: Record<string, string> = Object.create(null);
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const length = status < 200 || status === 204 ? 0 : Number(headers["content-length"] ?? 0);
    const bodyAt = end + 4;
    if (this.#received.length < bodyAt + length) return undefined;
    const body = this.#received.subarray(bodyAt, bodyAt + length).toString("utf8");
    this.#received = this.#received.subarray(bodyAt + length);
    return { status, headers, body };
  }
}

/** The bytes of a request. */
function rawRequest(address: string, { method = "POST", path = "/", headers = {}, body = "" }: RawRequest): Buffer {
  const all: Record<string, string> = { Host: address, "Content-Length": String(Buffer.byteLength(body)), ...headers };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n`), Buffer.from(body)]);
}
