import type { ChildProcess } from "node:child_process";
import type { Broker } from "../../broker.ts";
import type { BrokerOptions } from "../../broker-options.ts";
import type { Capabilities } from "../../capabilities.ts";
import type { ReceiptState } from "../../receipt.ts";
import type { Faults } from "./faults.ts";
import type { WorkerArguments, WorkerRole } from "./worker-protocol.ts";

/**
 * What the author of a driver gives the kit: how to open brokers on one real engine, and, where that can be done, how to
 * trouble it. Every optional member that is missing makes the checks that need it say so and not run.
 */
export interface ConformanceHarness {
  /** The driver's name, for titles and the report. */
  readonly name: string;
  /** What the driver declares on this engine. Decides which checks run, and is compared with what a broker says. */
  readonly capabilities: Capabilities;
  /** Opens and connects a fresh broker. All of them share one engine and see each other's messages. */
  open(options?: BrokerOptions): Promise<Broker>;
  /** A fresh broker for the same engine, not yet connected. */
  unconnected(options?: BrokerOptions): Broker;
  /** A fresh broker, not yet connected, on an engine that no other broker uses: for checks that need the whole of it. */
  isolated?(options?: BrokerOptions): Broker;
  /** A broker, not yet connected, whose credentials the engine refuses. */
  refused?(options?: BrokerOptions): Broker;
  /** A broker, not yet connected, at whose address nobody answers. */
  unreachable?(options?: BrokerOptions): Broker;
  /**
   * Starts a process with a broker on the same engine that plays a role: a script that calls `runConformanceWorker`,
   * started by `forkConformanceWorker`.
   */
  spawn?(role: WorkerRole, args: WorkerArguments): ChildProcess;
  /** Control over the engine. What the checks do with it happens to every broker on it. */
  readonly engine?: EngineControl;
  /** A fresh proxy in front of the engine, for checks that trouble the connections of their own brokers only. */
  proxied?(): Promise<ProxiedEngine>;
  /**
   * Removes, past the driver, what it made on the engine for a queue of a topic (the queue, its bindings, its consumer) and
   * for the topic itself (an exchange, a stream), as an administrator would by mistake. No other check runs then.
   */
  removeTopology?(topic: string, queue: string): Promise<void>;
  /**
   * Why a broadcast subscriber of this driver may lose messages over a short cut: the engine cannot hold them for it.
   * Without it an at-least-once driver must lose none.
   */
  readonly broadcastLoss?: string;
  /** Makes the drivers of this harness's brokers fail: `createFaults()`, with every driver wrapped in `withFaults`. */
  readonly faults?: Faults;
  /** Writes, past the driver, a message on this topic that the driver cannot decode. */
  writeBroken?(topic: string): Promise<void>;
  /** The receipt states that the driver documents. Without them only their truth is checked. */
  readonly receipts?: { readonly wanted: ReceiptState; readonly unwanted: ReceiptState };
  /** Ends the engine. Called once, after the last check. */
  close(): Promise<void>;
}

/** How the checks trouble an engine. Each is done when it returns, or when its promise resolves. */
export interface EngineControl {
  /** Stops it in good order and starts it again, at the same address and with the data that it keeps. */
  restart?(): void | Promise<void>;
  /** Ends it at once, as a crash does. */
  kill?(): void | Promise<void>;
  /** Starts it again after `kill`, at the same address and with the data that it keeps. */
  startAgain?(): void | Promise<void>;
  /** Breaks every connection; the engine runs on. */
  cutConnections?(): void | Promise<void>;
  /** Freezes it: connections stay open and nothing answers. */
  pause?(): void | Promise<void>;
  /** Ends a pause. */
  resume?(): void | Promise<void>;
}

/** Brokers that reach the engine only through a proxy, and that proxy. */
export interface ProxiedEngine {
  readonly proxy: ProxyControl;
  /**
   * A fresh broker, not yet connected. Its driver should notice a silent connection within some seconds, by an option of
   * its own where the default is longer: checks wait half a minute for that.
   */
  unconnected(options?: BrokerOptions): Broker;
  /** Called once, when every broker is closed. */
  close(): void | Promise<void>;
}

/** How the checks trouble the connections through a proxy. */
export interface ProxyControl {
  /** Everything arrives this much later, in milliseconds, in both directions and in order. */
  delay(ms: number): void;
  /** Every byte is sent by itself. */
  byteByByte(): void;
  /** Resets every connection, on both sides. New ones are accepted. */
  cut(): void;
  /** Every connection, and every new one, stays open and passes nothing on, in either direction. */
  halfOpen(): void;
  /** New connections are refused. */
  refuse(): Promise<void>;
  /** New connections are accepted again. */
  accept(): Promise<void>;
  /** Ends every fault for new connections, and for those that have lost nothing. */
  heal(): Promise<void>;
}
