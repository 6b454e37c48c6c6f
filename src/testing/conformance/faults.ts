import type { Driver, DriverDelivery, Outcome, Publication } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import { deadLetterTopic } from "../../topics.ts";
import { wrapDelivery, wrapDriver, wrapRequest } from "./wrap-driver.ts";

/** What can be made to fail at the driver line, by topic. */
export class Faults {
  readonly #acks = new Map<string, number>();
  readonly #deadLetters = new Map<string, number>();

  /** The next `times` acks of messages on this topic fail; the messages come again. */
  failAcks(topic: string, times: number): void {
    this.#acks.set(topic, times);
  }

  /** The next `times` dead letters of messages on this topic cannot be written. */
  failDeadLetters(topic: string, times: number): void {
    this.#deadLetters.set(topic, times);
  }

  /** How many failures of dead letters of this topic are still to come. */
  deadLettersToFail(topic: string): number {
    return this.#deadLetters.get(topic) ?? 0;
  }

  /** Whether this ack fails; takes one of the failures asked for. */
  takeAck(topic: string): boolean {
    return take(this.#acks, topic);
  }

  /** Whether the dead letter of a message on `topic` fails; takes one of the failures asked for. */
  takeDeadLetter(topic: string): boolean {
    return take(this.#deadLetters, topic);
  }

  /** Whether a dead letter published to `topic` fails; takes one of the failures asked for. */
  takeDeadLetterTo(topic: string): boolean {
    for (const source of this.#deadLetters.keys())
      if (deadLetterTopic(source) === topic) return take(this.#deadLetters, source);
    return false;
  }
}

/** Nothing fails until asked for. */
export function createFaults(): Faults {
  return new Faults();
}

/**
 * A driver that fails as `faults` says: an ack that fails leaves the message with its engine, and so does a dead letter
 * that cannot be written.
 */
export function withFaults<Native>(driver: Driver<Native>, faults: Faults): Driver<Native> {
  return wrapDriver(driver, {
    publish: (publications) =>
      driver.publish(publications.filter((publication) => !failedDeadLetter(publication, faults))),
    subscribe: (request) =>
      driver.subscribe(
        wrapRequest(request, {
          deliver: (delivery) =>
            request.deliver(wrapDelivery(delivery, { settle: (outcome) => settle(delivery, outcome, faults) })),
        }),
      ),
  });
}

function failedDeadLetter(publication: Publication, faults: Faults): boolean {
  if (publication.origin === undefined || !faults.takeDeadLetterTo(publication.topic)) return false;
  publication.fail(injected(publication.topic));
  return true;
}

function settle(delivery: DriverDelivery, outcome: Outcome, faults: Faults): void | Promise<void> {
  if (outcome.kind === "ack" && faults.takeAck(delivery.topic)) return comeAgain(delivery, delivery.attempt + 1);
  if (outcome.kind === "dead" && faults.takeDeadLetter(delivery.topic))
    return comeAgain(delivery, outcome.attempts + 1);
  return delivery.settle(outcome);
}

async function comeAgain(delivery: DriverDelivery, attempt: number): Promise<void> {
  await delivery.settle({ kind: "retry", delayMs: 0, attempt, firstFailureAt: delivery.firstFailureAt });
  throw injected(delivery.topic);
}

function injected(topic: string): BrokerError {
  return new BrokerError("ERR_CONNECTION_LOST", `A failure on ${topic} that a check asked for.`, { topic });
}

function take(left: Map<string, number>, topic: string): boolean {
  const count = left.get(topic) ?? 0;
  if (count <= 1) left.delete(topic);
  else left.set(topic, count - 1);
  return count > 0;
}
