// #region share
import { createBroker } from "tidings";
import { memory } from "tidings/memory";

const one = createBroker("memory:orders");
const other = createBroker("memory:orders"); // the same messages as the first
const alone = createBroker(memory()); // its own
// #endregion

await Promise.all([one, other, alone].map((broker) => broker.connect()));
await other.subscribe("greetings", (delivery) => console.log(delivery.text()));
console.log((await one.publish("greetings", { body: "hello" })).state);
console.log((await alone.publish("greetings", { body: "anybody?" })).state);
await Promise.all([one, other, alone].map((broker) => broker.disconnect()));
