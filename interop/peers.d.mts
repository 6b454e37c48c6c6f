/** Whether there is a Go toolchain, and where a missing one is a failure. */
export function goToolchain(env?: NodeJS.ProcessEnv): {
  readonly found: boolean;
  readonly required: boolean;
  readonly version: string | undefined;
};
