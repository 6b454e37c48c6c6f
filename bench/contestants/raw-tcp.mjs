// What a bare connection costs: frames of a length and a body, written together, and one acknowledgement for all that came
// together. No promise for each message, no header, no order of settling: the ceiling of what a wire could reach.
import { connect, createServer } from "node:net";

const LENGTH_BYTES = 4;

/** The receiving process; tells its port. */
export async function receive(meter) {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      let count = 0;
      while (bytes.length - at >= LENGTH_BYTES) {
        const end = at + LENGTH_BYTES + bytes.readUInt32LE(at);
        if (end > bytes.length) break;
        meter.received(bytes.subarray(at + LENGTH_BYTES, end));
        count += 1;
        at = end;
      }
      rest = bytes.subarray(at);
      if (count > 0) socket.write(frameOf(count));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

/** The sending process. */
export function openSender(port) {
  return openSenderTo([port], false);
}

/** The same to several receiving processes, each of which gets every message. */
export const toEach = { receive, openSender: (ports) => openSenderTo(ports, false) };

/** The same to several receiving processes that take turns. */
export const inTurn = { receive, openSender: (ports) => openSenderTo(ports, true) };

async function openSenderTo(ports, shared) {
  let onAcknowledged = () => {};
  const connections = await Promise.all(ports.map((port) => openConnection(port, () => onAcknowledged())));
  let turn = 0;
  // Who gets the next message.
  const targets = () => {
    if (!shared) return connections;
    turn += 1;
    return [connections[turn % connections.length]];
  };
  return {
    async send(body) {
      const frame = framed(body);
      for (const connection of targets()) connection.write([frame]);
    },
    sendAll(body, count, inFlight) {
      for (const connection of connections) connection.acknowledged = 0;
      let sent = 0;
      // What all have acknowledged, or each its part.
      const done = () => {
        const counts = connections.map(({ acknowledged }) => acknowledged);
        return shared ? counts.reduce((sum, acknowledged) => sum + acknowledged, 0) : Math.min(...counts);
      };
      // Each message is a frame of its own; all of a turn go out in one write to each.
      const fill = (acknowledged) => {
        const frames = new Map();
        for (; sent < count && sent - acknowledged < inFlight; sent += 1) {
          const frame = framed(body);
          for (const connection of targets()) {
            const waiting = frames.get(connection);
            if (waiting === undefined) frames.set(connection, [frame]);
            else waiting.push(frame);
          }
        }
        for (const [connection, waiting] of frames) connection.write(waiting);
      };
      return new Promise((resolve) => {
        onAcknowledged = () => {
          const acknowledged = done();
          if (acknowledged === count) resolve();
          else fill(acknowledged);
        };
        fill(0);
      });
    },
  };
}

async function openConnection(port, onAcknowledged) {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  let rest = Buffer.alloc(0);
  const connection = {
    /** Messages that the receiver has acknowledged. */
    acknowledged: 0,
    write: (frames) => socket.write(Buffer.concat(frames)),
  };
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let at = 0;
    for (; rest.length - at >= LENGTH_BYTES; at += LENGTH_BYTES) connection.acknowledged += rest.readUInt32LE(at);
    rest = rest.subarray(at);
    onAcknowledged();
  });
  return connection;
}

function framed(body) {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  frame.writeUInt32LE(body.length);
  body.copy(frame, LENGTH_BYTES);
  return frame;
}

function frameOf(number) {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32LE(number);
  return bytes;
}
