/** Which sizes the kit runs with. */
export type ProfileName = "quick" | "full";

/** The sizes of a run. */
export interface Profile {
  readonly name: ProfileName;
  /** Messages of the smallest load. */
  readonly few: number;
  /** Messages of the middle load. */
  readonly several: number;
  /** Messages of the largest load. */
  readonly many: number;
  /** Publishers, and subscribers, of the crowded checks. */
  readonly crowd: number;
  /** Topics in parallel. */
  readonly topics: number;
  /** How often a race is run. */
  readonly rounds: number;
  /** Patterns, and topics, of the property test. */
  readonly patterns: number;
  /** Payload that goes past the slow consumer, in MiB. */
  readonly floodMiB: number;
  /** How often the stress group runs each group at once. */
  readonly lanes: number;
  /** How long a condition may take, in milliseconds. */
  readonly deadlineMs: number;
  /** How long nothing may happen before a check believes that nothing more will, in milliseconds. */
  readonly quietMs: number;
}

/** The sizes of `npm test` and of `npm run test:full`. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  quick: {
    name: "quick",
    few: 100,
    several: 300,
    many: 1_000,
    crowd: 10,
    topics: 8,
    rounds: 10,
    patterns: 12,
    floodMiB: 48,
    lanes: 2,
    deadlineMs: 30_000,
    quietMs: 100,
  },
  full: {
    name: "full",
    few: 100,
    several: 5_000,
    many: 10_000,
    crowd: 50,
    topics: 20,
    rounds: 50,
    patterns: 40,
    floodMiB: 256,
    lanes: 10,
    deadlineMs: 60_000,
    quietMs: 250,
  },
};
