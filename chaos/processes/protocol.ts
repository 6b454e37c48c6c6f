import type { BrokerOptions } from "tidings";

/** What a process is started with, as JSON in its first argument. */
export interface ProcessArguments {
  readonly role: "publisher" | "member" | "broadcast";
  readonly name: string;
  /** Its broker. */
  readonly url: string;
  readonly options: BrokerOptions;
  /** What the topics of this run begin with. */
  readonly prefix: string;
  readonly queues: number;
  /** The path of its journal. */
  readonly journal: string;
  /** Messages a second of this publisher; of a receiver, nothing. */
  readonly rate: number;
}

/** What a process is told. `finish`: publish no more. `cut`: break every connection. */
export type Command = { readonly type: "finish" } | { readonly type: "cut" };

/** What a process tells. */
export type Told =
  | { readonly type: "ready" }
  /** How many connections it broke. */
  | { readonly type: "cut"; readonly connections: number }
  /** An error that no call returned: expected under chaos, and of interest only if the process fails. */
  | { readonly type: "error"; readonly text: string };

/** The topic of a queue: each has its own. */
export function topicOf(prefix: string, queue: number): string {
  return `${prefix}.${queue}`;
}

/** The name of a queue. */
export function queueName(queue: number): string {
  return `chaos-${queue}`;
}
