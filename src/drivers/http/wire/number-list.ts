import type { ByteReader } from "./byte-reader.ts";
import { MAX_LISTED, WireError } from "./frames.ts";

/**
 * Calls `each` with every number of a frame that lists some, as `FrameWriter.ranges` writes them.
 * @throws WireError also for a frame that lists more than it may: a few bytes must not stand for endless work
 */
export function eachListed(reader: ByteReader, each: (number: number) => void): void {
  let previous = 0;
  let listed = 0;
  while (reader.at < reader.end) {
    const coded = reader.number();
    const first = previous + (coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2);
    const more = reader.number();
    listed += more + 1;
    if (listed > MAX_LISTED || first < 0 || first + more > Number.MAX_SAFE_INTEGER)
      throw new WireError("a list of numbers is too long, or its numbers are none");
    for (let number = first; number <= first + more; number += 1) each(number);
    previous = first + more;
  }
}
