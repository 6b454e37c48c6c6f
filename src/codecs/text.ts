import type { Codec } from "../codec.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Strings as UTF-8 (`text/plain`). */
export const text: Codec = {
  contentType: "text/plain",
  encode(value) {
    if (typeof value !== "string") throw new TypeError(`the text codec takes a string, not ${typeof value}`);
    return value;
  },
  decode: (body) => utf8.decode(body),
};
