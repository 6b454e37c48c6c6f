import type { Clock } from "./clock.ts";
import { MovableDeadline } from "./deadline.ts";

/** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    const abort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Resolves with true when `promise` settles before `deadlineAt`, else with false. Rejects as the promise does. */
export function before(clock: Clock, deadlineAt: number, promise: Promise<unknown>): Promise<boolean> {
  return new MovableDeadline(clock, deadlineAt).met(promise);
}

/** The promise, or the signal's reason if that comes first. The work behind the promise is not stopped by this. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      promise.catch(() => {
        // The caller left with the signal's reason; what became of the work behind it reaches nobody.
      });
      return;
    }
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
