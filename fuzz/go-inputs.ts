import { writeEnvelope } from "../src/codecs/go-micro-envelope.ts";
import { mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

/** The topic that the broker listens to. */
export const GO_TOPIC = "fuzz.go";

/** What one go-micro publisher sends over one connection: one request or two, changed or not. */
export function goInput(random: Random, name: string, address: string, nodeId: string): Buffer {
  const requests = Array.from({ length: random.chance(20) ? 2 : 1 }, (_one, index) =>
    requestOf(random, `${name}-${index}`, address, nodeId),
  );
  const bytes = Buffer.concat(requests);
  if (random.chance(15)) return bytes;
  return mutate(random, bytes, requestOf(random, `other-${name}`, address, nodeId));
}

function requestOf(random: Random, id: string, address: string, nodeId: string): Buffer {
  const body = random.bytes(random.below(60));
  const header: Record<string, string> = { "Micro-Topic": GO_TOPIC, "Micro-Id": id };
  if (random.chance(40)) header["X-ü"] = `"${"ü".repeat(random.below(5))}\\`;
  const envelope = writtenIn(random, header, body);
  const lines = [
    `POST ${random.pick(["/", "/_sub", "/a/b"])}?id=${nodeId} HTTP/1.1`,
    `Host: ${address}`,
    "User-Agent: Go-http-client/1.1",
    ...(random.chance(15) ? ["Transfer-Encoding: chunked"] : [`Content-Length: ${Buffer.byteLength(envelope)}`]),
    "Content-Type: application/json",
    "Accept-Encoding: gzip",
  ];
  const isChunked = lines.includes("Transfer-Encoding: chunked");
  const size = Buffer.byteLength(envelope).toString(16);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${isChunked ? `${size}\r\n${envelope}\r\n0\r\n\r\n` : envelope}`);
}

/** As go-micro writes it, or in another way that its decoder takes. */
function writtenIn(random: Random, header: Record<string, string>, body: Buffer): string {
  const usual = writeEnvelope(header, body);
  if (random.chance(70)) return usual;
  return random.pick([
    () => JSON.stringify({ body: [...body], header }),
    () => JSON.stringify({ HEADER: header, Body: body.toString("base64"), Unknown: { a: [1, null] } }, null, 1),
    () => JSON.stringify({ Header: header, Body: null }),
    () => JSON.stringify({ Header: { ...header, __proto__: "x" }, Body: body.toString("base64") }),
  ])();
}
