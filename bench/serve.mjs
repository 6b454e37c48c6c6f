// A process of a contestant, from within: it says that it is ready, and answers what the one that started it asks.

/** Answers questions by their type from now on. An answer may be a promise. The process ends when nobody can ask any more. */
export function serve(answers) {
  process.on("disconnect", () => process.exit(1));
  process.on("message", async ({ type, argument }) => {
    try {
      process.send({ type, value: await answers[type](argument) });
    } catch (error) {
      fail(error);
    }
  });
}

/** Says that it is ready, with a value where there is one to tell. */
export function ready(value) {
  process.send({ type: "ready", value });
}

/** Says what went wrong. */
export function fail(error) {
  process.send({ type: "failed", value: error.message.split("\n")[0] });
}
