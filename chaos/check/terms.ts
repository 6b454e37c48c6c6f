/** What decides which messages a broker has promised to deliver. */
export interface Terms {
  /** The broker's name. */
  readonly broker: string;
  readonly guarantee: "at-least-once" | "at-most-once";
  /** Whether what is kept survives a kill of whoever keeps it. */
  readonly durable: boolean;
  /** Who keeps messages until they are handled: the process that published them, or an engine. */
  readonly keptBy: "publisher" | "engine";
  /** Whether the run has killed the engine. */
  readonly engineKilled: boolean;
}

/**
 * Whether a message is promised once its publish has resolved.
 * @param publisherKilled whether the process that published it was killed afterwards
 */
export function isPromised(terms: Terms, publisherKilled: boolean): boolean {
  if (terms.guarantee === "at-most-once") return false;
  if (terms.durable) return true;
  return terms.keptBy === "publisher" ? !publisherKilled : !terms.engineKilled;
}

/** The promise in words, for the report. */
export function describeTerms(terms: Terms): string {
  const { broker, guarantee, durable, keptBy, engineKilled } = terms;
  if (guarantee === "at-most-once")
    return `${broker} delivers at most once: nothing is promised, losses are only counted.`;
  if (durable) return `${broker} promises every message whose publish has resolved.`;
  if (keptBy === "publisher")
    return `${broker} keeps messages in the publisher's memory here: promised is what a publisher had published that was not killed after it.`;
  if (engineKilled)
    return `${broker} keeps messages in its engine's memory here, and the engine was killed: nothing is promised.`;
  return `${broker} promises every message whose publish has resolved, since its engine was not killed.`;
}
