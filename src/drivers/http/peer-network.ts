import type { DeadLetterAdmin, DriverContext, QueueAdmin } from "../../driver.ts";
import { BrokerError, wrapError } from "../../errors.ts";
import type { Service } from "../../registry.ts";
import { deadLetterCalls, type PeerCalls } from "./calls.ts";
import type { Directory } from "./directory.ts";
import { isCut } from "./link.ts";
import type { Peers } from "./peer.ts";
import { WIRE_PATHS } from "./wire.ts";

/** How long a live peer may take to answer, in milliseconds. One that takes longer hears of changes from the registry. */
const CALL_TIMEOUT_MS = 5_000;

/** How often a call is made when its connection breaks. */
const CALL_TRIES = 3;

/** Calls between processes: asking all peers, and answering them. */
export class PeerNetwork {
  readonly #directory: Directory;
  readonly #peers: Peers;
  readonly #context: DriverContext;
  readonly #answers: Readonly<Record<keyof PeerCalls, (argument: never) => Promise<unknown>>>;

  constructor(
    directory: Directory,
    peers: Peers,
    context: DriverContext,
    own: { readonly queues: QueueAdmin; readonly deadLetters: DeadLetterAdmin },
  ) {
    this.#directory = directory;
    this.#peers = peers;
    this.#context = context;
    this.#answers = {
      added: async (service: Service) => directory.add(service),
      left: async ({ nodeId }: { nodeId: string }) => directory.remove(nodeId, true),
      "queue-removed": ({ pattern, queue }: { pattern: string; queue: string }) => own.queues.remove(pattern, queue),
      queues: () => own.queues.list(),
      ...deadLetterCalls(own.deadLetters),
    };
  }

  /** Tells all live peers; resolves when each has answered, or is found gone. */
  async tell<Name extends keyof PeerCalls>(name: Name, argument: PeerCalls[Name]["argument"]): Promise<void> {
    await this.ask(name, argument);
  }

  /** Asks all live peers. One that is gone, or does not answer in time, has no answer; the latter is reported. */
  async ask<Name extends keyof PeerCalls>(
    name: Name,
    argument: PeerCalls[Name]["argument"],
  ): Promise<PeerCalls[Name]["answer"][]> {
    const addresses = await this.#directory.otherPeers();
    const answers = await Promise.all(addresses.map((address) => this.#call(address, name, argument)));
    return answers.flatMap((answer) => (answer === undefined ? [] : [answer.value as PeerCalls[Name]["answer"]]));
  }

  /** Answers a call of a peer. */
  async answer(name: string, argument: unknown): Promise<unknown> {
    if (!Object.hasOwn(this.#answers, name)) throw new Error(`there is no call ${JSON.stringify(name)}`);
    return this.#answers[name as keyof PeerCalls](argument as never);
  }

  // A broken connection says nothing of the process behind it, so that the call is made again; a refused one does.
  async #call(address: string, name: string, argument: unknown): Promise<{ value: unknown } | undefined> {
    for (let left = CALL_TRIES - 1; ; left -= 1) {
      try {
        return { value: await this.#callOnce(address, name, argument) };
      } catch (error) {
        if (left > 0 && isCut(error)) continue;
        if ((error as { code?: string }).code === "ECONNREFUSED") return undefined;
        this.#context.onError(
          wrapError(error, "ERR_CONNECTION_LOST", `The peer at ${address} did not answer`, { driver: "http" }),
        );
        return undefined;
      }
    }
  }

  async #callOnce(address: string, name: string, argument: unknown): Promise<unknown> {
    const { status, text } = await this.#peers.at(address, true).send({
      path: WIRE_PATHS.call + name,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(argument),
      timeoutMs: CALL_TIMEOUT_MS,
    });
    if (status !== 200) throw new BrokerError("ERR_DRIVER", `it answered with status ${status}`);
    return JSON.parse(text);
  }
}
