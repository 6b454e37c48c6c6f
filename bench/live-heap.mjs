// What a process of a service has in its heap beside its messages. V8 decides by the size of the heap how much memory of buffers it
// lets come together before it collects all of it: in an almost empty process, 30 MB of them.

const BYTES_PER_MEBIBYTE = 1024 ** 2;

/** How many objects are made at a time. */
const SOME = 10_000;

const held = [];
let heldBytes = 0;

/** Holds so much of small objects, in MiB, for as long as the process lives: what the environment says, or nothing. */
export function holdLive(mebibytes = Number(process.env.TIDINGS_BENCH_HEAP_MIB ?? 0)) {
  const before = process.memoryUsage().heapUsed;
  while (heldBytes < mebibytes * BYTES_PER_MEBIBYTE) {
    for (let n = 0; n < SOME; n += 1) held.push({ n, name: `object ${held.length}`, numbers: [n, n + 1] });
    heldBytes = process.memoryUsage().heapUsed - before;
  }
}

/** How much that is, in bytes. */
export function liveBytes() {
  return heldBytes;
}
