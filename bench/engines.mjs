// The engines of the bench: private ones, as the tests start them, whose helpers are compiled with those of chaos.

const SUPPORT = "../.tmp/chaos/test/support/engines";

/** How each is started, and which program that takes. */
const STARTS = {
  nats: { program: "nats", start: async () => (await import(`${SUPPORT}/nats.js`)).startNats({ jetstream: false }) },
  jetstream: { program: "nats", start: async () => (await import(`${SUPPORT}/nats.js`)).startNats() },
  rabbitmq: { program: "rabbitmq", start: async () => (await import(`${SUPPORT}/rabbitmq.js`)).startRabbitmq() },
};

/**
 * Starts an engine of its own on free ports: `{ url, stop }`.
 * @throws {Error} where its program is not installed, with how to get it, or does not start
 */
export async function startEngine(name) {
  const { program, start } = STARTS[name];
  const { missingEngine } = await import(`${SUPPORT}/engine-programs.js`);
  const missing = missingEngine(program, { own: true });
  if (missing !== undefined) throw new Error(missing);
  return start();
}
