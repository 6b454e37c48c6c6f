/** Turns values into message bodies and back. */
export interface Codec {
  /** The content type it writes, such as `application/json`. */
  readonly contentType: string;
  /** Further content types that it reads. Default: none. */
  readonly accepts?: readonly string[];
  /** @throws whatever says that the value cannot be encoded. */
  encode(value: unknown): string | Uint8Array;
  /** @throws whatever says that the body cannot be decoded. */
  decode(body: Uint8Array): unknown;
}
