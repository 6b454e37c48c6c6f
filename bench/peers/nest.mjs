// NestJS microservices: the application that receives and the client that sends, over any of its transports.
import { loadAll } from "./load.mjs";

/** The name under which messages are handled. */
const PATTERN = "bench";

/**
 * Starts an application that hands each message's data, and what Nest knows of it, to `handle`.
 * @param event whether messages are events, which have no answer
 */
export async function startApplication({ transport, options }, handle, event = false) {
  const { Controller, Ctx, EventPattern, MessagePattern, Module, NestFactory, Payload, Transport } = await loadNest();
  class Handlers {
    handle(data, context) {
      return handle(data, context);
    }
  }
  // Without a compiler, decorators are functions to call.
  const method = Object.getOwnPropertyDescriptor(Handlers.prototype, "handle");
  (event ? EventPattern : MessagePattern)(PATTERN)(Handlers.prototype, "handle", method);
  Payload()(Handlers.prototype, "handle", 0);
  Ctx()(Handlers.prototype, "handle", 1);
  Controller()(Handlers);
  class Application {}
  Module({ controllers: [Handlers] })(Application);
  const application = await NestFactory.createMicroservice(Application, {
    transport: Transport[transport],
    options,
    logger: false,
  });
  await application.listen();
}

/** Connects a client; resolves with what sends data and waits for the answer, or for its way out of an event. */
export async function connectClient({ transport, options }, event = false) {
  const { ClientProxyFactory, Transport, first } = await loadNest();
  const client = ClientProxyFactory.create({ transport: Transport[transport], options });
  await client.connect();
  return (data) => first(event ? client.emit(PATTERN, data) : client.send(PATTERN, data));
}

async function loadNest() {
  await loadAll("reflect-metadata");
  const [common, core, microservices, rxjs] = await loadAll(
    "@nestjs/common",
    "@nestjs/core",
    "@nestjs/microservices",
    "rxjs",
  );
  common.Logger.overrideLogger(false);
  // A handler that answers nothing, and an event, complete without a value.
  const first = (observable) => rxjs.lastValueFrom(observable, { defaultValue: undefined });
  return { ...common, ...core, ...microservices, first };
}
