// #region drivers
import { createBroker } from "tidings";
import { http } from "tidings/http";
import { local } from "tidings/registry/local";

const broker = createBroker(http({ address: "127.0.0.1:0", registry: local() }));
// #endregion

await broker.connect();
console.log(broker.name, broker.address.replace(/\d+$/, "<port>"));
await broker.disconnect();
