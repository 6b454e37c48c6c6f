import type { Codec } from "../codec.ts";

/** Bytes as they are (`application/octet-stream`). */
export const bytes: Codec = {
  contentType: "application/octet-stream",
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError("the bytes codec takes a Uint8Array");
    return value;
  },
  decode: (body) => body,
};
