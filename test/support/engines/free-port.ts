import { createServer } from "node:net";

/**
 * Below the range from which systems take the local ports of outgoing connections. From that range, another connection
 * could take the port while its engine restarts, or a client that retries could meet itself.
 */
const [LOWEST, HIGHEST] = [20_000, 32_000] as const;
const ATTEMPTS = 100;

/** A loopback port that nobody listens on. Two processes may be given the same one: whoever starts second tries again. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} in ${ATTEMPTS} attempts`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
