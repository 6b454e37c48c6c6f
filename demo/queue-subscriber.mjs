// The demo's second and third subscriber: members of one queue, which share the messages of a topic.
import { createService } from "tidings";
import { report } from "./report.mjs";
import { QUEUE, SHARED_TOPIC } from "./topics.mjs";

const service = createService({ name: "example.member", afterStart: () => report({ type: "ready" }) });
await service.init(); // command line and environment

service.subscribe(
  SHARED_TOPIC,
  async function share({ sequence }, { topic, id }) {
    await report({ type: "received", receiver: service.id, topic, id, sequence });
  },
  { queue: QUEUE },
);

await service.run(); // until SIGINT or SIGTERM; then running handlers finish, and what was not started goes back
