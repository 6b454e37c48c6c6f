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
  /** Control over the engine. */
  readonly engine?: EngineControl;
  /** Makes the drivers of this harness's brokers fail: `createFaults()`, with every driver wrapped in `withFaults`. */
  readonly faults?: Faults;
  /** Writes, past the driver, a message on this topic that the driver cannot decode. */
  writeBroken?(topic: string): Promise<void>;
  /** The receipt states that the driver documents. Without them only their truth is checked. */
  readonly receipts?: { readonly wanted: ReceiptState; readonly unwanted: ReceiptState };
  /** Ends the engine. Called once, after the last check. */
  close(): Promise<void>;
}

/** How the checks trouble an engine. Each resolves when it has been done. */
export interface EngineControl {
  restart?(): Promise<void>;
  cutConnections?(): Promise<void>;
  pause?(): Promise<void>;
  resume?(): Promise<void>;
}
