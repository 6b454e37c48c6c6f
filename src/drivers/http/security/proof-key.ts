import type { Registry } from "../../../registry.ts";

/** How often the registry is asked for its secret at most, in milliseconds: whoever knocks may try it as often as they like. */
const ASK_EVERY_MS = 1_000;

/**
 * What both sides prove. The registry's secret is asked for again when a process was not trusted, or did not trust this one: it may
 * have been removed, and made anew by a process that came later.
 */
export class ProofKey {
  readonly #registry: Registry | undefined;
  readonly #now: () => number;
  #key: Uint8Array | undefined;
  #asked: Promise<void> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** @param registry whose secret it is; `undefined` where it stays what it is */
  constructor(key: Uint8Array | undefined, registry: Registry | undefined, now: () => number) {
    this.#key = key;
    this.#registry = registry;
    this.#now = now;
  }

  /** `undefined`: nothing is to be proved. The same object as long as it is the same secret. */
  get current(): Uint8Array | undefined {
    return this.#key;
  }

  /** Asks the registry again, unless it was asked a moment ago; resolves when that has answered. Never rejects. */
  renew(): Promise<void> {
    if (this.#asked === undefined || this.#now() - this.#askedAt >= ASK_EVERY_MS) {
      this.#askedAt = this.#now();
      this.#asked = this.#ask();
    }
    return this.#asked;
  }

  async #ask(): Promise<void> {
    if (this.#key === undefined) return;
    let key: Uint8Array | undefined;
    try {
      key = await this.#registry?.secret?.();
    } catch {
      // What it had before is all that there is; that there is no trust is reported in any case.
      return;
    }
    if (key !== undefined && !Buffer.from(key).equals(this.#key)) this.#key = key;
  }
}
