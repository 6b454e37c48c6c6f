import type { RunningDelivery } from "./running-delivery.ts";

/** Until when a delivery may run. */
export interface Deadline {
  /** Milliseconds since the epoch; `Infinity` until the turn in which the delivery started is over. */
  at: number;
}

/** Who hears how handlers end. */
export interface SlotOwner {
  returned(delivery: RunningDelivery): void;
  failed(delivery: RunningDelivery, error: unknown): void;
}

const NONE: Deadline = Object.freeze({ at: Number.POSITIVE_INFINITY });

/** A place for one delivery at a time while its handler runs. What hears of the handler's end is made once, for all of them. */
export class Slot {
  delivery: RunningDelivery | undefined;
  deadline: Deadline = NONE;
  /** Where it is among its subscription's slots. */
  index = 0;
  readonly returned: () => void;
  readonly failed: (error: unknown) => void;

  constructor(owner: SlotOwner) {
    this.returned = () => owner.returned(this.delivery as RunningDelivery);
    this.failed = (error) => owner.failed(this.delivery as RunningDelivery, error);
  }
}
