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
export async function openSender(port) {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  let onAcknowledged = () => {};
  let rest = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    let count = 0;
    let at = 0;
    for (; rest.length - at >= LENGTH_BYTES; at += LENGTH_BYTES) count += rest.readUInt32LE(at);
    rest = rest.subarray(at);
    onAcknowledged(count);
  });
  return {
    async send(body) {
      socket.write(Buffer.concat([frameOf(body.length), body]));
    },
    sendAll(body, count, inFlight) {
      let unsent = count;
      let unacknowledged = 0;
      // Each message is a frame of its own; all of a turn go out in one write.
      const fill = () => {
        const frames = [];
        for (; unsent > 0 && unacknowledged < inFlight; unsent -= 1) {
          const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
          frame.writeUInt32LE(body.length);
          body.copy(frame, LENGTH_BYTES);
          frames.push(frame);
          unacknowledged += 1;
        }
        if (frames.length > 0) socket.write(Buffer.concat(frames));
      };
      return new Promise((resolve) => {
        onAcknowledged = (acknowledged) => {
          unacknowledged -= acknowledged;
          if (unsent === 0 && unacknowledged === 0) resolve();
          else fill();
        };
        fill();
      });
    },
  };
}

function frameOf(number) {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32LE(number);
  return bytes;
}
