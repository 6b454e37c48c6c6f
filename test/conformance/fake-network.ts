import type { Driver } from "../../src/driver.ts";
import { BrokerError } from "../../src/errors.ts";
import type { ProxyControl } from "../../src/testing/index.ts";
import { FakeLine } from "./fake-line.ts";

/** What lies between drivers and their engine in memory: where lines break. */
export class FakeNetwork implements ProxyControl {
  readonly lines: Set<FakeLine> = new Set();
  /** What is asked for beyond breaking lines; nothing here is slow or small by itself. */
  delayMs = 0;
  small = false;
  /** Whether the engine refuses everybody's credentials. */
  refusesCredentials = false;
  #accepting = true;
  #silent = false;

  /** Whether a line would come through. */
  get open(): boolean {
    return this.#accepting && !this.#silent;
  }

  /** Puts a driver at the end of a line. */
  attach(driver: Driver): Driver {
    return new FakeLine(driver, this).driver();
  }

  /** Lets a line in. @throws BrokerError when it does not come through. */
  admit(): void {
    if (this.refusesCredentials)
      throw new BrokerError("ERR_AUTHENTICATION", "The engine refused the user and the password.");
    if (!this.open) throw new BrokerError("ERR_CONNECT_FAILED", "The engine cannot be reached.");
  }

  delay(ms: number): void {
    this.delayMs = ms;
  }

  byteByByte(): void {
    this.small = true;
  }

  cut(): void {
    for (const line of this.lines) line.lose();
  }

  halfOpen(): void {
    this.#silent = true;
    for (const line of this.lines) line.silence(true);
  }

  async refuse(): Promise<void> {
    this.#accepting = false;
  }

  async accept(): Promise<void> {
    this.#accepting = true;
  }

  async heal(): Promise<void> {
    this.delayMs = 0;
    this.small = false;
    this.#silent = false;
    this.#accepting = true;
  }

  /** The engine hangs: nothing passes, and no heartbeat is missed. */
  pause(): void {
    for (const line of this.lines) line.silence(false);
  }

  /** Ends a pause. */
  resume(): void {
    for (const line of this.lines) line.passAgain();
  }
}
