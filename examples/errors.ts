import { BrokerError, createBroker } from "tidings";

const broker = createBroker("memory:");
await broker.connect();
const order = JSON.stringify({ id: 7 });

// #region catch
try {
  await broker.publish("orders.created", { body: order }, { mandatory: true });
} catch (error) {
  if (!(error instanceof BrokerError)) throw error;
  if (error.code === "ERR_NO_SUBSCRIBERS") console.log(`nobody wants ${error.topic}`);
  else if (error.retryable) console.log("try again later");
  else throw error;
}
// #endregion

await broker.disconnect();
