const ATTEMPTS = 3;

/** What engines say when somebody else took a port that was free a moment ago. */
const TAKEN = /address already in use|eaddrinuse|belongs to/i;

/** Starts something on ports that were just free, and again on others when one has been taken meanwhile. */
export async function onFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      const portTaken = error instanceof Error && TAKEN.test(`${error.message} ${error.cause}`);
      if (!portTaken || attempt === ATTEMPTS) throw error;
    }
  }
}
