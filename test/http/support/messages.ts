import { writeEnvelope } from "../../../src/codecs/go-micro-envelope.ts";
import type { RawRequest } from "./raw.ts";

/** The request of a go-micro publisher, byte for byte as its version 6 writes it, but for `Host` and `Content-Length`. */
export function goPost(nodeId: string, topic: string, body: string, header: Record<string, string> = {}): RawRequest {
  return {
    path: `/?id=${encodeURIComponent(nodeId)}`,
    headers: {
      "User-Agent": "Go-http-client/1.1",
      "Content-Type": "application/json",
      "Accept-Encoding": "gzip",
    },
    body: writeEnvelope({ ...header, "Micro-Topic": topic }, Buffer.from(body)),
  };
}
