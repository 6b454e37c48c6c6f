// What the demo's programs share: they report to the supervisor, and end when it says so or when it is gone.

/** Settings that the supervisor passes to a program. */
export const settings = JSON.parse(process.argv[2] ?? "{}");

let stopped = () => {};

/** Resolves when the supervisor says that it is time to stop. */
export const stop = new Promise((resolve) => {
  stopped = resolve;
});

// Ctrl-C reaches every process of the terminal at once; the supervisor decides who stops when.
process.on("SIGINT", () => {});
process.on("message", (message) => {
  if (message === "stop") stopped();
});
// Without a supervisor nobody would ever stop this process.
process.on("disconnect", orphaned);

/** Tells the supervisor something; resolves when it is on its way. */
export function report(event) {
  return new Promise((resolve, reject) => {
    process.send(event, (error) => (error ? reject(error) : resolve()));
  });
}

/** Ends the connection to the supervisor: with nothing else open, the process ends by itself. */
export function leave() {
  process.off("disconnect", orphaned);
  process.disconnect();
}

function orphaned() {
  process.exit(1);
}
