// How the demo's programs tell what happened: to the supervisor that started them, or on the terminal when run by hand.

if (process.channel) {
  // Without its supervisor nobody would ever stop this process.
  process.on("disconnect", () => process.exit(1));
  // The channel alone does not keep it running: with the service stopped, the process ends by itself.
  process.channel.unref();
}

/** Tells something; resolves when it is on its way. */
export function report(event) {
  if (!process.channel) return console.log(event);
  return new Promise((resolve, reject) => {
    process.send(event, (error) => (error ? reject(error) : resolve()));
  });
}
