import type { PeerCalls } from "./calls.ts";
import type { Directory } from "./directory.ts";
import type { Peers } from "./peers.ts";

/** All other processes at once, those too that the registry has only just named. */
export class PeerNetwork {
  readonly #directory: Directory;
  readonly #peers: Peers;

  constructor(directory: Directory, peers: Peers) {
    this.#directory = directory;
    this.#peers = peers;
  }

  /** Resolves when everybody has taken note of what was told before, or is found gone. */
  async agree(): Promise<void> {
    await this.#peers.agree(await this.#directory.otherPeers());
  }

  /** Asks all live peers. One that is gone, or does not answer in time, has no answer; the latter is reported. */
  async ask<Name extends keyof PeerCalls>(
    name: Name,
    argument: PeerCalls[Name]["argument"],
  ): Promise<PeerCalls[Name]["answer"][]> {
    const answers = await this.#peers.ask(await this.#directory.otherPeers(), name, argument);
    return answers as PeerCalls[Name]["answer"][];
  }
}
