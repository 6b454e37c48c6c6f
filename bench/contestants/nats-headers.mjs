// The native headers of a message on NATS: what Tidings sends, written and read without it.
import { headers } from "@nats-io/transport-node";
import { nextId } from "./ids.mjs";

const ID = "Tidings-Id";
const HEADER = "Tidings-Header";

/** The headers of one message, with an id of its own. */
export function encode(header) {
  const native = headers();
  native.append(ID, nextId());
  native.append(HEADER, JSON.stringify(header));
  return native;
}

/** The id and the header of a message, in one walk: the client's `get` makes lists of all names each time. */
export function decode(native) {
  let id;
  let header;
  for (const [name, values] of native) {
    if (name === ID) id = values[0];
    else if (name === HEADER) header = JSON.parse(values[0]);
  }
  return { id, header };
}
