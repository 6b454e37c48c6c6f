import { check } from "../../check-options.ts";
import { BrokerError, describeError } from "../../errors.ts";
import { invalidPayload } from "../invalid-payload.ts";
import type { PublishContext, SubscribeContext } from "../middleware.ts";
import type { BothSides } from "./both-sides.ts";
import { checkMiddlewareOptions } from "./options.ts";

/** What a {@link PayloadCheck} says: nothing, `true` or an empty list for a valid payload; `false`, or its issues, for one that is not. */
// biome-ignore lint/suspicious/noConfusingVoidType: what functions that only throw return
export type Verdict = undefined | void | boolean | readonly string[];

/**
 * Looks at a payload. What it throws says that the payload is not valid, as one issue; a `BrokerError` passes through
 * unchanged, such as one that says that nothing can be said now.
 * @param payload on the subscribe side decoded and checked by the topic's schema; on the publish side as it was given
 * @param context of the message; on the subscribe side it has `attempt`
 */
export type PayloadCheck = (payload: unknown, context: SubscribeContext | PublishContext) => Verdict | Promise<Verdict>;

/**
 * Checks payloads with a function, on both sides. A message whose payload is not valid never reaches the handler: it becomes
 * a dead letter at once, with the issues in its reason. A publish of such a payload is rejected, and nothing is sent.
 * @throws BrokerError `ERR_INVALID_OPTION` when made, and for a check that returns anything else; `ERR_INVALID_PAYLOAD` (final)
 * whose message lists the issues (the first ten) and whose `cause` holds them, or what the check threw; `ERR_UNDECODABLE` for a
 * message that cannot be decoded
 */
export function validate(inspect: PayloadCheck): BothSides {
  checkMiddlewareOptions("validate", { check: inspect }, { check: check.call }, ["check"]);
  return {
    subscribe: async (context, next) => {
      await demandValid(inspect, await context.payload(), context);
      return next();
    },
    publish: async (context, next) => {
      await demandValid(inspect, context.payload, context);
      return next();
    },
  };
}

async function demandValid(
  inspect: PayloadCheck,
  payload: unknown,
  context: SubscribeContext | PublishContext,
): Promise<void> {
  let verdict: unknown;
  try {
    verdict = await inspect(payload, context);
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    throw invalidPayload(context.topic, [describeError(error)], error);
  }
  if (verdict === undefined || verdict === true) return;
  if (verdict === false) throw refused(context.topic, ["the check says no"]);
  if (!Array.isArray(verdict)) {
    const message =
      "The check of validate returns nothing, true, false or a list of issues; await or throw what it calls says.";
    throw new BrokerError("ERR_INVALID_OPTION", message, { topic: context.topic });
  }
  if (verdict.length > 0) throw refused(context.topic, verdict.map(String));
}

function refused(topic: string, issues: readonly string[]): BrokerError {
  return invalidPayload(topic, issues, issues);
}
