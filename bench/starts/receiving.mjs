// A process that ends when it is subscribed on the embedded broker and has handled its first message.
import { createBroker } from "tidings";

const broker = createBroker("http://127.0.0.1:0");
await broker.connect();
await broker.subscribe("bench", () => process.exit(0));
await broker.publish("bench", { body: "first" });
