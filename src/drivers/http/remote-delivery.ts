import type { ServerResponse } from "node:http";
import type { DriverDelivery, Outcome } from "../../driver.ts";
import { BrokerError } from "../../errors.ts";
import type { Header } from "../../message.ts";
import { OUTCOME_STATUS } from "./wire.ts";

/** What a posted message is made of. */
export type RemoteContent = Pick<DriverDelivery, "topic" | "id" | "key" | "header" | "body" | "attempt" | "firstFailureAt">;

/** A message that another process posted: settled by the final answer to its request. */
export class RemoteDelivery implements DriverDelivery {
  readonly topic: string;
  readonly id: string;
  readonly key: string | undefined;
  readonly header: Header;
  readonly body: Uint8Array;
  readonly attempt: number;
  readonly firstFailureAt: number | undefined;
  readonly #onSettled: (delivery: RemoteDelivery) => void;
  /** The request that waits for the outcome; destroyed once its connection was cut. */
  #response: ServerResponse;
  #outcome: Outcome | undefined;

  constructor(content: RemoteContent, response: ServerResponse, onSettled: (delivery: RemoteDelivery) => void) {
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

  /** Whether nobody waits for the outcome at the moment. */
  get cut(): boolean {
    return this.#response.destroyed;
  }

  /** Its sender asked again, on a new connection. */
  reattach(response: ServerResponse): void {
    this.#response = response;
    response.writeProcessing();
    if (this.#outcome !== undefined) void answer(response, this.#outcome);
  }

  settle(outcome: Outcome): Promise<void> {
    this.#outcome = outcome;
    this.#onSettled(this);
    const response = this.#response;
    if (response.destroyed) return Promise.reject(lost(this.topic, this.id));
    return answer(response, outcome).then((sent) => {
      if (!sent) throw lost(this.topic, this.id);
    });
  }

  extend(): void {
    // Another 102 tells the sender that the message is still in good hands.
    if (!this.#response.destroyed) this.#response.writeProcessing();
  }
}

function answer(response: ServerResponse, outcome: Outcome): Promise<boolean> {
  const body = JSON.stringify(outcome);
  return new Promise((resolve) => {
    response.once("close", () => resolve(response.writableFinished));
    response.writeHead(OUTCOME_STATUS[outcome.kind], { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  });
}

function lost(topic: string, id: string): BrokerError {
  return new BrokerError("ERR_CONNECTION_LOST", `The sender of message ${id} was gone before it could learn the outcome; the message may come again.`, { topic, driver: "http" });
}
