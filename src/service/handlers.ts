import { BrokerError, describeError, isFinal, NonRetryableError } from "../errors.ts";
import type { Context } from "./context.ts";

/** Handles the payloads of one topic. Its return acks the message, its error nacks it. */
export type ServiceHandler<Payload = unknown> = (payload: Payload, context: Context) => unknown;

/** A handler and the name that the registry shows for it. */
export interface NamedHandler {
  readonly name: string;
  readonly handle: ServiceHandler;
}

/** How many messages whose handlers succeeded in part are remembered. */
const MAX_PARTIAL = 10_000;

/**
 * The handlers of what `service.subscribe` was given: a function, or an object whose own class's methods all handle the
 * message. Methods that begin with `_` and the constructor do not count.
 * @throws BrokerError `ERR_INVALID_OPTION` where there is no such method
 */
export function namedHandlers(given: unknown, methods: readonly string[] | undefined): NamedHandler[] {
  if (typeof given === "function") {
    if (methods !== undefined) throw invalid("methods go with an object, not with a function");
    return [{ name: given.name === "" ? "handler" : given.name, handle: given as ServiceHandler }];
  }
  if (typeof given !== "object" || given === null)
    throw invalid("subscribe takes a function, or an object with methods");
  const target = given as Record<string, unknown>;
  const className = given.constructor?.name || "Object";
  const names = methods ?? ownMethods(given);
  if (names.length === 0) throw invalid(`${className} has no methods that could handle messages`);
  return names.map((name) => {
    if (typeof target[name] !== "function") throw invalid(`${className} has no method ${JSON.stringify(name)}`);
    return {
      name: className === "Object" ? name : `${className}.${name}`,
      handle: (payload, context) => (target[name] as ServiceHandler)(payload, context),
    };
  });
}

/**
 * One handler out of several: all are called, at the same time, and all must succeed. On another attempt in the same process
 * those that succeeded are not called again.
 */
export function allOf(handlers: readonly NamedHandler[]): ServiceHandler {
  const [only] = handlers;
  if (handlers.length === 1 && only !== undefined) return only.handle;
  /** By topic and id. */
  const done = new Map<string, Set<NamedHandler>>();
  return async (payload, context) => {
    // A publisher may give messages on several topics one id.
    const message = `${context.topic}\u0000${context.id}`;
    const succeeded = done.get(message) ?? new Set();
    const pending = handlers.filter((handler) => !succeeded.has(handler));
    const results = await Promise.allSettled(pending.map(async (handler) => handler.handle(payload, context)));
    const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    done.delete(message);
    if (errors.length === 0) return;
    for (const [index, result] of results.entries()) {
      const handler = pending[index];
      if (result.status === "fulfilled" && handler !== undefined) succeeded.add(handler);
    }
    if (done.size >= MAX_PARTIAL) done.delete(done.keys().next().value ?? "");
    done.set(message, succeeded);
    throw oneOf(errors);
  };
}

/** What several failures mean together: only where trying again helps none of them, it helps not at all. */
function oneOf(errors: readonly unknown[]): unknown {
  if (errors.length === 1) return errors[0];
  const message = errors.map(describeError).join("; ");
  const all = new AggregateError(errors, message);
  return errors.every(isFinal) ? new NonRetryableError(message, { cause: all }) : all;
}

function ownMethods(target: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(target);
  // An object literal has its methods on itself.
  const holder = prototype === Object.prototype || prototype === null ? target : (prototype as object);
  const described = Object.entries(Object.getOwnPropertyDescriptors(holder));
  return described
    .filter(([name, { value }]) => typeof value === "function" && name !== "constructor" && !name.startsWith("_"))
    .map(([name]) => name);
}

function invalid(problem: string): BrokerError {
  return new BrokerError("ERR_INVALID_OPTION", `${problem[0]?.toUpperCase()}${problem.slice(1)}.`);
}
