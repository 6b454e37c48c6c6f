// go-micro's example "pubsub", written with Tidings: a service that subscribes, and one that publishes. In go-micro they are two
// programs; here they are two services of one process, each with a broker of its own.
import { type Context, createService, type ServicePublisher } from "tidings";

interface Event {
  readonly id: number;
  readonly message: string;
}

// All methods of Sub are called when a message is received. They can have any names.
class Sub {
  async process(event: Event, context: Context) {
    console.log(`[pubsub.1] process: ${event.message}, metadata: sender ${context.header["sender"]}`);
  }

  async count(event: Event) {
    console.log(`[pubsub.1] count: ${event.id}`);
  }
}

// Alternatively a function can be used.
async function subEv(event: Event, context: Context) {
  console.log(`[pubsub.2] ${event.message}, metadata: sender ${context.header["sender"]}`);
}

const server = createService({ name: "go.micro.srv.pubsub" });
await server.init(); // command line and environment

server.subscribe("example.topic.pubsub.1", new Sub());
// With a queue each message is delivered to one of its subscribers.
server.subscribe("example.topic.pubsub.2", subEv, { queue: "queue.pubsub" });
await server.start();

const client = createService({ name: "go.micro.cli.pubsub" });
await client.init();

const pub1 = client.publisher<Event>("example.topic.pubsub.1");
const pub2 = client.publisher<Event>("example.topic.pubsub.2");
await client.start();

async function sendEv(id: number, publisher: ServicePublisher<Event>) {
  const message = `message ${id} to ${publisher.topic.name}`;
  await publisher.publish({ id, message }, { header: { sender: client.name } });
  await client.broker.flush(); // until it is delivered and handled, so that the output has an order
}

for (const id of [1, 2, 3]) {
  await sendEv(id, pub1);
  await sendEv(id, pub2);
}

await client.stop();
await server.stop();
