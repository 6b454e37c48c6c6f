/** The envelope of go-micro's messages, which the wire uses for Tidings peers too. */
export { type Envelope, readEnvelope, writeEnvelope } from "../../codecs/go-micro-envelope.ts";
