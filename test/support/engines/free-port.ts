import { createServer } from "node:net";

/**
 * Below the range from which systems take the local ports of outgoing connections. From that range, another connection
 * could take the port while its engine restarts, or a client that retries could meet itself.
 */
const LOWEST = 20_000;

/** How many ports a process looks through, and how many processes have others. */
const SLICE = 300;
const SLICES = 40;

/** What this process was given: a port that is refused for a while, or whose engine restarts, is still somebody's. */
const given = new Set<number>();
let next = Math.floor(Math.random() * SLICE);

/**
 * A loopback port that nobody listens on, each only once in a process. Two processes may be given the same one, which is rare:
 * whoever starts second tries again.
 */
export async function freePort(): Promise<number> {
  for (let slice = process.pid, left = SLICES; left > 0; slice += 1, left -= 1) {
    const lowest = LOWEST + (slice % SLICES) * SLICE;
    for (let attempt = 0; attempt < SLICE; attempt += 1) {
      next = (next + 1) % SLICE;
      const port = lowest + next;
      if (given.has(port)) continue;
      given.add(port);
      if (await isFree(port)) return port;
    }
  }
  throw new Error(`no free port between ${LOWEST} and ${LOWEST + SLICES * SLICE}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
