// The names that the demo's programs agree on.

/** Each message goes to every subscriber. */
export const BROADCAST_TOPIC = "example.topic.pubsub.1";

/** Each message goes to one member of the queue. */
export const SHARED_TOPIC = "example.topic.pubsub.2";

export const QUEUE = "queue.pubsub";
