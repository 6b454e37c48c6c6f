import type { Capabilities } from "../../../src/capabilities.ts";
import type {
  Driver,
  DriverContext,
  DriverDelivery,
  DriverSubscription,
  Outcome,
  Publication,
  SubscribeRequest,
} from "../../../src/driver.ts";
import { memoryCapabilities } from "../../../src/drivers/memory/index.ts";

/** A driver that does what a test tells it, and notes what the portable layer asks of it. */
export class ScriptedDriver implements Driver<string> {
  readonly name = "scripted";
  readonly native = "the client";
  readonly address = "scripted:1";
  capabilities: Capabilities;
  context: DriverContext | undefined;
  connects = 0;
  /** Called by `connect`; throws to fail it. */
  onConnect: (attempt: number, signal: AbortSignal) => Promise<void> | void = () => {};
  /** Every publication, in order; answered `stored` at once unless a test takes that over. */
  readonly published: Publication[] = [];
  onPublish: (publication: Publication) => void = (publication) => publication.confirm("stored");
  readonly requests: SubscribeRequest[] = [];
  /** Called by `subscribe`; throws to fail it. */
  onSubscribe: () => Promise<void> | void = () => {};
  /** Of its subscriptions. */
  takesBack = true;
  stops = 0;
  closes = 0;

  constructor(capabilities: Partial<Capabilities> = {}) {
    this.capabilities = { ...memoryCapabilities, ...capabilities };
  }

  async connect(context: DriverContext, signal: AbortSignal): Promise<void> {
    this.connects += 1;
    this.context = context;
    await this.onConnect(this.connects, signal);
  }

  publish(publications: readonly Publication[]): void {
    for (const publication of publications) {
      this.published.push(publication);
      this.onPublish(publication);
    }
  }

  async subscribe(request: SubscribeRequest): Promise<DriverSubscription> {
    this.requests.push(request);
    await this.onSubscribe();
    return {
      takesBack: this.takesBack,
      stop: async () => {
        this.stops += 1;
      },
      close: async () => {
        this.closes += 1;
      },
    };
  }

  async disconnect(): Promise<void> {}
}

/** A delivery for a test to hand over; it notes how it was settled. */
export class ScriptedDelivery implements DriverDelivery {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Readonly<Record<string, string>> = Object.create(null);
  readonly body: Uint8Array;
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
  readonly broken?: string;
  readonly outcomes: Outcome[] = [];
  readonly extended: number[] = [];
  onSettle: (outcome: Outcome) => void | Promise<void> = () => {};

  constructor(content: { id: string; topic?: string; key?: string; attempt?: number; body?: string; broken?: string }) {
    this.id = content.id;
    this.topic = content.topic ?? "t";
    this.key = content.key;
    this.attempt = content.attempt ?? 1;
    this.body = Buffer.from(content.body ?? "");
    if (content.broken !== undefined) this.broken = content.broken;
  }

  settle(outcome: Outcome): void | Promise<void> {
    this.outcomes.push(outcome);
    return this.onSettle(outcome);
  }

  extend(ms: number): void {
    this.extended.push(ms);
  }
}
