// Settings from outside. Without arguments `init` reads the process's own command line and environment.
import { createService } from "tidings";

// #region init
const service = createService({ name: "billing", broker: "http" });
await service.init(["--broker", "memory:orders", "--verbose"], { TIDINGS_SERVER_VERSION: "1.2.0" });
console.log(service.broker.name, service.version);
// #endregion
