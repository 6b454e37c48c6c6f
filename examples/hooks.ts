// What runs around the start and the stop of a service.
import { createService } from "tidings";

const database = {
  open: async () => console.log("database opened"),
  close: async () => console.log("database closed"),
};

// #region hooks
const service = createService({
  name: "billing",
  broker: "memory:",
  beforeStart: () => database.open(), // not connected yet; an error fails the start
  afterStart: () => console.log(`ready, ${service.broker.status}`), // subscribed and registered
  beforeStop: () => console.log(`stopping, ${service.broker.status}`), // still registered
  afterStop: () => database.close(), // drained and closed
});
await service.start();
await service.stop();
// #endregion
