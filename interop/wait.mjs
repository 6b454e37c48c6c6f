/** Resolves after `ms` milliseconds. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `condition` is truthy, and resolves with it. */
export async function until(condition, what, deadlineMs = 20_000) {
  const started = performance.now();
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() - started > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await pause(20);
  }
}
