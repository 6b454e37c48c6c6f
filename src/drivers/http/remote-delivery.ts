import type { ServerResponse } from "node:http";
import type { DriverDelivery, Outcome } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import type { Header } from "../../message.ts";
import { OUTCOME_STATUS } from "./wire.ts";

/** What a posted message is made of. */
export type RemoteContent = Pick<
  DriverDelivery,
  "topic" | "id" | "key" | "header" | "body" | "attempt" | "firstFailureAt"
>;

/** A message that another process posted: settled by the final answer to its request. */
export class RemoteDelivery implements DriverDelivery {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  readonly body: Uint8Array;
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
  readonly #onSettled: (outcome: Outcome) => void;
  /** The request that waits for the outcome; destroyed once its connection was cut. */
  #response: ServerResponse;

  /** @param onSettled hears of the outcome before it is sent. */
  constructor(content: RemoteContent, response: ServerResponse, onSettled: (outcome: Outcome) => void) {
    this.topic = content.topic;
    this.id = content.id;
    this.key = content.key;
    this.header = content.header;
    this.body = content.body;
    this.attempt = content.attempt;
    this.firstFailureAt = content.firstFailureAt;
    this.#response = response;
    this.#onSettled = onSettled;
  }

  /** Its sender asked again, on a new connection: the former is of no use any more, even if it seems to stand. */
  reattach(response: ServerResponse): void {
    this.#response.destroy();
    this.#response = response;
    response.writeProcessing();
  }

  /** Tells the sender, with another 102, that the message is still in good hands. */
  heartbeat(): void {
    if (!this.#response.destroyed) this.#response.writeProcessing();
  }

  settle(outcome: Outcome): Promise<void> {
    const response = this.#response;
    this.#onSettled(outcome);
    if (response.destroyed) return Promise.reject(lost(this.topic, this.id));
    return sendOutcome(response, outcome).then((sent) => {
      if (!sent) throw lost(this.topic, this.id);
    });
  }
}

/** Sends the final answer; resolves with whether it went out. */
export function sendOutcome(response: ServerResponse, outcome: Outcome): Promise<boolean> {
  const body = JSON.stringify(outcome);
  return new Promise((resolve) => {
    response.once("close", () => resolve(response.writableFinished));
    response.writeHead(OUTCOME_STATUS[outcome.kind], {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
    });
    response.end(body);
  });
}

function lost(topic: string, id: string): BrokerError {
  return new BrokerError(
    "ERR_CONNECTION_LOST",
    `The sender of message ${id} was gone before it could learn the outcome; the message may come again.`,
    { topic, driver: "http" },
  );
}
