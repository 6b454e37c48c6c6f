import type { SubscribeRequest } from "../../driver.ts";
import { isDeadLetterTopic, isPattern } from "../../topics.ts";
import type { Names } from "./names.ts";
import type { Topology } from "./topology.ts";

/** What a subscription reads from. */
export interface Source {
  /** The native name. */
  readonly queue: string;
  /** Whether the queue is this subscription's alone and goes with it. */
  readonly own: boolean;
  /** Whether what comes back unexcused has cost an attempt: not dead letters, nor what goes with its reader. */
  readonly countsDeaths: boolean;
  /** Makes the queue where it is missing. */
  declare(topology: Topology): Promise<void>;
}

/** The source of a subscription: its queue, a dead-letter topic's standing queue, or a queue of its own. */
export function sourceOf({ id, pattern, queue }: SubscribeRequest, names: Names): Source {
  const dead = isDeadLetterTopic(pattern);
  if (queue !== undefined)
    return {
      queue: names.queue(pattern, queue),
      own: false,
      countsDeaths: !dead,
      declare: (topology) => topology.queue(pattern, queue),
    };
  if (dead && !isPattern(pattern))
    return {
      queue: names.standing(pattern),
      own: false,
      countsDeaths: false,
      declare: (topology) => topology.standing(pattern),
    };
  return {
    queue: names.broadcast(id),
    own: true,
    countsDeaths: false,
    declare: (topology) => topology.broadcast(pattern, id),
  };
}
