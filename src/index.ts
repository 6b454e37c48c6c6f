/** Tidings: publish/subscribe for Node services, with one delivery contract on every broker. */
import { Broker } from "./broker.ts";
import { createBroker, createDefaultBroker } from "./create-broker.ts";

export type { DeadLetterOptions, DeadLetters, Queues } from "./broker-admin.ts";
export type { BrokerOptions, PublishOptions, ReconnectOptions, SubscribeOptions } from "./broker-options.ts";
export type { Capabilities } from "./capabilities.ts";
export type { Codec } from "./codec.ts";
export { bytes } from "./codecs/bytes.ts";
export { json } from "./codecs/json.ts";
export { text } from "./codecs/text.ts";
export type { Status } from "./connection.ts";
export type { Delivery, Handler } from "./delivery.ts";
export type { DeadLetter, DeadLetterTopic, QueueInfo, ServerInfo } from "./driver.ts";
export { ERROR_CODES, type ErrorCode, type ErrorScope } from "./error-codes.ts";
export { BrokerError, NonRetryableError } from "./errors.ts";
export { defaultLogger, type Logger, silentLogger } from "./logger.ts";
export type { Header, Message, MessageInput } from "./message.ts";
export type { MessageStream } from "./message-stream.ts";
export type { Publisher, PublisherPublishOptions } from "./publisher.ts";
export type { Receipt, ReceiptState } from "./receipt.ts";
export type { Context } from "./service/context.ts";
export { createService } from "./service/create-service.ts";
export type { ServiceHandler } from "./service/handlers.ts";
export type {
  Middleware,
  Next,
  PublishContext,
  PublishMiddleware,
  SubscribeContext,
  SubscribeMiddleware,
} from "./service/middleware.ts";
export type { ServicePublisher, ServicePublishOptions } from "./service/publisher.ts";
export type { Service } from "./service/service.ts";
export type { Hook, ServiceOptions, ServiceSubscribeOptions } from "./service/service-options.ts";
export type { HandlerObject, ServiceStatus, ServiceSubscription } from "./service/subscription-definition.ts";
export { type Topic, topic } from "./service/topic.ts";
export type { Subscriber } from "./subscriber.ts";
export { matchesTopic } from "./topics.ts";
export { Broker, createBroker };

/** The default broker: `TIDINGS_BROKER`, or the embedded HTTP broker. Ready to `init`, `connect`, `publish` and `subscribe`. */
export const broker: Broker = createDefaultBroker();
