/** The registry's service names. */
export const SERVICE_NAMES = {
  /** go-micro's name: subscriptions that go-micro peers may reach. */
  goMicro: "micro.http.broker",
  /** The same in go-micro 1.18 and in `broker/http` of micro/plugins. */
  oldGoMicro: "go.micro.http.broker",
  /** Subscriptions that only Tidings peers reach. They are not in the registry: `surveyPeers` makes such records of what peers tell. */
  tidings: "tidings.http.broker",
  /** One node per process. */
  peers: "tidings.http.peer",
  /** One standing node per queue. */
  queues: "tidings.http.queue",
} as const;

/** go-micro's version of a subscription without a queue. */
export const BROADCAST_VERSION = "ff.http.broadcast";
