import type { BrokenDriver } from "./broken-driver.ts";
import { brokenDeadLetters } from "./dead-letters.ts";
import { brokenLifecycle } from "./lifecycle.ts";
import { brokenPatterns } from "./patterns.ts";
import { brokenPayload } from "./payload.ts";
import { brokenPublishing } from "./publishing.ts";
import { brokenSettling } from "./settling.ts";
import { brokenSubscribing } from "./subscribing.ts";

/** Every broken driver. */
export const brokenDrivers: readonly BrokenDriver[] = [
  ...brokenLifecycle,
  ...brokenPublishing,
  ...brokenSubscribing,
  ...brokenPayload,
  ...brokenSettling,
  ...brokenDeadLetters,
  ...brokenPatterns,
];
