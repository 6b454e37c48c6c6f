import { BrokerError } from "../errors.ts";
import type { Input } from "./terminal.ts";

/**
 * Reads a body from standard input to its end, as bytes.
 * @throws BrokerError `ERR_MESSAGE_TOO_LARGE` as soon as it is longer than `maxBytes`; the signal's reason when aborted
 */
export async function readBody(stdin: Input, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const abort = () => stdin.destroy(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    for await (const chunk of stdin) {
      const data = typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk;
      bytes += data.byteLength;
      if (bytes > maxBytes) {
        throw new BrokerError("ERR_MESSAGE_TOO_LARGE", `The body on standard input is longer than ${maxBytes} bytes.`);
      }
      chunks.push(data);
    }
  } finally {
    signal.removeEventListener("abort", abort);
  }
  return Buffer.concat(chunks);
}
