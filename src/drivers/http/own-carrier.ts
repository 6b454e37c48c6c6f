import { type DriverDelivery, type Outcome, RELEASE, type SubscribeRequest } from "../../driver.ts";
import type { Header } from "../../message.ts";
import type { Entry } from "../../outbox/entry.ts";
import type { Carrier } from "../../outbox/member.ts";
import type { Outbox } from "../../outbox/outbox.ts";
import type { Places } from "./places.ts";

/** Carries messages of this process's outbox to a subscription of this process, which shares its places with other senders. */
export function ownCarrier(outbox: Outbox, request: SubscribeRequest, places: Places): Carrier {
  return {
    offer(entry) {
      const { member } = entry;
      // While it waited in line, its queue may have been removed.
      const isOffered = () => entry.state === "offered" && entry.member === member;
      places.ask(
        () => {
          if (!isOffered()) return places.leave();
          // What `accept` would hand over next may get a place at once, and must not be delivered before this one.
          outbox.hold();
          outbox.accept(entry);
          const delivery = new PlacedDelivery(entry, places);
          outbox.beforeHandling(entry, () => {
            // Meanwhile its queue may have been removed, or the subscription may be ending.
            if (entry.state !== "accepted" || entry.member !== member) return places.leave();
            if (member?.leaving) return delivery.settle(RELEASE);
            request.deliver(delivery);
          });
          outbox.release();
        },
        () => {
          if (isOffered()) outbox.refuse(entry, 0);
        },
      );
    },
  };
}

/** A message of this process's own, which gives its place back when it is settled. */
class PlacedDelivery implements DriverDelivery {
  readonly #entry: Entry;
  readonly #places: Places;

  constructor(entry: Entry, places: Places) {
    this.#entry = entry;
    this.#places = places;
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
    this.#places.leave();
  }
}
