import { type Conversation, converse } from "./conversation.ts";

/** Who logs in to an AMQP server, and where. */
export interface AmqpProbe {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly vhost: string;
  /** The node must say this name among its properties: the port may have been taken by another one. */
  readonly node?: string;
  /** Runs while the connection is open. */
  readonly whileOpen?: (conversation: Conversation) => Promise<void>;
}

const [METHOD, FRAME_END, CONNECTION] = [1, 0xce, 10] as const;
const [START, START_OK, TUNE, TUNE_OK, OPEN, OPEN_OK, CLOSE, CLOSE_OK] = [10, 11, 30, 31, 40, 41, 50, 51] as const;
const SUCCESS = 200;

/** Opens a connection as a client does, up to its vhost, and closes it. @throws while the server does not let it. */
export async function probeAmqp(probe: AmqpProbe, signal: AbortSignal): Promise<void> {
  const { port, user, password, vhost, node, whileOpen } = probe;
  await converse(port, signal, async (conversation) => {
    const { send, expect } = conversation;
    send(Buffer.concat([Buffer.from("AMQP"), Buffer.from([0, 0, 9, 1])]));
    const properties = await expect(method(START));
    if (node !== undefined && !properties.includes(node)) throw new Error(`port ${port} belongs to another node`);
    send(frame(START_OK, uint32(0), short("PLAIN"), long(`\0${user}\0${password}`), short("en_US")));
    // The server's limits are taken as they are: channels, frame size, heartbeat.
    const limits = (await expect(method(TUNE))).subarray(0, 8);
    send(frame(TUNE_OK, limits));
    send(frame(OPEN, short(vhost), short(""), Buffer.from([0])));
    await expect(method(OPEN_OK));
    await whileOpen?.(conversation);
    send(frame(CLOSE, uint16(SUCCESS), short(""), uint16(0), uint16(0)));
    await expect(method(CLOSE_OK));
  });
}

/** Takes a method of the connection, and gives its arguments. @throws the server's reason when it closes instead. */
function method(expected: number): (received: Buffer) => Buffer | undefined {
  return (received) => {
    if (received.length < 7) return undefined;
    if (received.subarray(0, 4).toString() === "AMQP") throw new Error("the server speaks another version of AMQP");
    const end = 7 + received.readUInt32BE(3);
    if (received.length <= end) return undefined;
    const [found, args] = [received.readUInt16BE(9), received.subarray(11, end)];
    if (found === CLOSE && expected !== CLOSE) {
      throw new Error(`${args.readUInt16BE(0)} ${args.subarray(3, 3 + args.readUInt8(2)).toString()}`);
    }
    if (found !== expected) throw new Error(`the server sent method ${found} instead of ${expected}`);
    return args;
  };
}

function frame(id: number, ...args: readonly Buffer[]): Buffer {
  const payload = Buffer.concat([uint16(CONNECTION), uint16(id), ...args]);
  return Buffer.concat([Buffer.from([METHOD]), uint16(0), uint32(payload.length), payload, Buffer.from([FRAME_END])]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function short(text: string): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
}

function long(text: string): Buffer {
  return Buffer.concat([uint32(Buffer.byteLength(text)), Buffer.from(text)]);
}
