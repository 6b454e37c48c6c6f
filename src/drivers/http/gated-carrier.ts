import type { DriverDelivery, Outcome, SubscribeRequest } from "../../driver.ts";
import type { Header } from "../../message.ts";
import type { Entry } from "../../outbox/entry.ts";
import type { Carrier } from "../../outbox/member.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Gate } from "./gate.ts";

/** Carries messages of this process's outbox to a subscription of this process, which shares its places with other senders. */
export function gatedCarrier(outbox: Outbox, request: SubscribeRequest, gate: Gate): Carrier {
  return {
    offer(entry) {
      const { member } = entry;
      // While it waited in line, its queue may have been removed.
      const isOffered = () => entry.state === "offered" && entry.member === member;
      gate.ask(
        () => {
          if (!isOffered()) return gate.leave();
          outbox.accept(entry);
          request.deliver(new GatedDelivery(entry, gate));
        },
        () => {
          if (isOffered()) outbox.refuse(entry, 0);
        },
      );
      // Told by `accept`, which may have happened already: a second word changes nothing.
      return false;
    },
  };
}

/** A message of this process's own, which gives its place back when it is settled. */
class GatedDelivery implements DriverDelivery {
  readonly #entry: Entry;
  readonly #gate: Gate;

  constructor(entry: Entry, gate: Gate) {
    this.#entry = entry;
    this.#gate = gate;
  }

  get topic(): string {
    return this.#entry.topic;
  }

  get id(): string {
    return this.#entry.id;
  }

  get key(): string | undefined {
    return this.#entry.key;
  }

  get header(): Header {
    return this.#entry.header;
  }

  get body(): Uint8Array {
    return this.#entry.body;
  }

  get attempt(): number {
    return this.#entry.attempt;
  }

  get firstFailureAt(): number | undefined {
    return this.#entry.firstFailureAt;
  }

  settle(outcome: Outcome): void {
    this.#entry.settle(outcome);
    this.#gate.leave();
  }
}
