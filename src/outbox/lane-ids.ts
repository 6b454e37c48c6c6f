/** The id of the lane of a queue. Neither topics nor queue names have control characters, so that NUL divides them. */
export function queueLaneId(pattern: string, queue: string): string {
  return `queue\u0000${pattern}\u0000${queue}`;
}

/** The id of the lane of a concrete dead-letter topic. */
export function standingLaneId(topic: string): string {
  return `standing\u0000${topic}`;
}

/** What a lane's id says of it; a broadcast subscription's is its own id, which says nothing. */
export type LaneName =
  | { readonly kind: "broadcast" }
  | { readonly kind: "queue"; readonly pattern: string; readonly queue: string }
  | { readonly kind: "standing"; readonly pattern: string };

/** Reads a lane's id. */
export function parseLaneId(id: string): LaneName {
  const [kind, pattern, queue] = id.split("\u0000");
  if (kind === "queue" && pattern !== undefined && queue !== undefined) return { kind, pattern, queue };
  if (kind === "standing" && pattern !== undefined) return { kind, pattern };
  return { kind: "broadcast" };
}
