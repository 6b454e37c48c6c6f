import { rmSync } from "node:fs";

// The process has one exit, and a listener each would make Node warn of a leak; so this is one list for the process.
const paths = new Set<string>();

/** Removes a file when this process exits by itself (not by a signal). Returns a function that takes it off the list. */
export function removeAtExit(path: string): () => void {
  if (paths.size === 0) process.on("exit", removeAll);
  paths.add(path);
  return () => {
    if (paths.delete(path) && paths.size === 0) process.off("exit", removeAll);
  };
}

function removeAll(): void {
  for (const path of paths) {
    try {
      rmSync(path, { force: true });
    } catch {
      // Nobody is left to be told, and others remove the files of an ended process.
    }
  }
}
