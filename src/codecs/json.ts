import type { Codec } from "../codec.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** JSON (`application/json`), the default codec. A value that JSON cannot hold, such as `undefined`, is refused. */
export const json: Codec = {
  contentType: "application/json",
  encode(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`JSON cannot hold ${typeof value}`);
    return text;
  },
  decode: (body) => JSON.parse(utf8.decode(body)),
};
