// The broker comes from outside: a URL in the environment, or the default.
import { createBroker } from "tidings";

// #region swap
const broker = createBroker(); // TIDINGS_BROKER, or the embedded HTTP broker
// #endregion
console.log(broker.name);

process.env.TIDINGS_BROKER = "memory:";
console.log(createBroker().name);
