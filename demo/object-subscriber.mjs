// The demo's first subscriber: an object whose two methods both get every message of one topic.
import { createService } from "tidings";
import { report } from "./report.mjs";
import { BROADCAST_TOPIC } from "./topics.mjs";

class Handlers {
  async first({ sequence }, { topic, id }) {
    await report({ type: "received", receiver: `${service.id}.first`, topic, id, sequence });
  }

  async second({ sequence }, { topic, id }) {
    await report({ type: "received", receiver: `${service.id}.second`, topic, id, sequence });
  }
}

const service = createService({ name: "example.object", afterStart: () => report({ type: "ready" }) });
await service.init(); // command line and environment

service.subscribe(BROADCAST_TOPIC, new Handlers());

await service.run(); // until SIGINT or SIGTERM; then running handlers finish
