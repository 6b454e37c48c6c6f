// What is exchanged: messages that can be told apart, and whose bytes and headers are unusual.
import { randomBytes } from "node:crypto";

/** Headers of every message: upper and lower case, no value, characters that JSON and HTTP treat specially. */
export const HEADER = {
  "Content-Type": "application/octet-stream",
  "X-Odd name ü": '<välue> & "more" \u2028 \\ \t',
  empty: "",
  "lower.case_1": "1",
};

/** Metadata of services: what go-micro's metadata package leaves as it is in every version. */
export const METADATA = { Foo: "bar", "X-Request-Id": "r-1 ü" };

/** Bodies of `count` messages: each different, binary, one empty, one of 64 KiB. */
export function binaryBodies(count) {
  return Array.from({ length: count }, (_one, index) => {
    if (index === 0) return Buffer.alloc(0);
    const head = Buffer.from(`${index}\u0000`);
    return Buffer.concat([head, randomBytes(index === 1 ? 65_536 : 24)]);
  });
}

/** Orders as JSON: numbers, text that JSON escapes, bytes. */
export function orders(count) {
  return Array.from({ length: count }, (_one, index) => ({
    id: index,
    text: `order <${index}> & "ü" \u2028`,
    data: Buffer.from([index & 255, 0, 255]).toString("base64"),
  }));
}

/** Texts for protobuf's StringValue; go-micro leaves an empty one as no bytes at all. */
export function texts(count) {
  return Array.from({ length: count }, (_one, index) => (index === 0 ? "" : `text ${index} ü\u0000`));
}

/** Compares what came with what was sent: each exactly once. Returns what is wrong, or `undefined`. */
export function compare(sent, received) {
  const wanted = new Map();
  for (const one of sent) wanted.set(one, (wanted.get(one) ?? 0) + 1);
  let strange = 0;
  let twice = 0;
  for (const one of received) {
    const left = wanted.get(one);
    if (left === undefined) strange += 1;
    else if (left === 0) twice += 1;
    else wanted.set(one, left - 1);
  }
  const lost = [...wanted.values()].reduce((sum, left) => sum + left, 0);
  if (lost + strange + twice === 0) return undefined;
  const parts = [
    [lost, "lost"],
    [twice, "twice"],
    [strange, "changed"],
  ];
  return parts.flatMap(([number, what]) => (number > 0 ? [`${number} ${what}`] : [])).join(", ");
}

/** Compares headers; what a wire adds is named in `added`. Returns what is wrong, or `undefined`. */
export function compareHeader(sent, received, added) {
  const got = { ...received };
  for (const name of added) if (!(name in sent)) delete got[name];
  const names = new Set([...Object.keys(sent), ...Object.keys(got)]);
  const wrong = [...names].filter((name) => sent[name] !== got[name]);
  return wrong.length === 0 ? undefined : `header ${wrong.map((name) => JSON.stringify(name)).join(", ")} differs`;
}
