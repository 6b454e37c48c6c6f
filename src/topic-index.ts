import { isDeadLetterTopic, isPattern } from "./topics.ts";

interface TreeNode<T> {
  readonly children: Map<string, TreeNode<T>>;
  readonly here: Set<T>;
  readonly tail: Set<T>;
}

/** How many concrete topics' matches are remembered before the memory starts afresh. */
const MAX_REMEMBERED = 20_000;

/**
 * Values filed under topics and patterns, found by concrete topic. A lookup costs the topic's words and its matches,
 * never the number of patterns; repeated lookups cost one map access.
 */
export class TopicIndex<T> {
  readonly #exact = new Map<string, Set<T>>();
  readonly #root: TreeNode<T> = emptyNode();
  readonly #remembered = new Map<string, readonly T[]>();
  #patterns = 0;

  /** Files a value. Adding the same value under the same pattern twice has no effect. */
  add(pattern: string, value: T): void {
    if (!isPattern(pattern)) {
      const values = this.#exact.get(pattern);
      if (values === undefined) this.#exact.set(pattern, new Set([value]));
      else values.add(value);
      this.#remembered.delete(pattern);
      return;
    }
    const set = this.#setFor(pattern);
    if (!set.has(value)) this.#patterns += 1;
    set.add(value);
    this.#remembered.clear();
  }

  remove(pattern: string, value: T): void {
    if (!isPattern(pattern)) {
      const values = this.#exact.get(pattern);
      values?.delete(value);
      if (values?.size === 0) this.#exact.delete(pattern);
      this.#remembered.delete(pattern);
      return;
    }
    if (removeFrom(this.#root, pattern.split("."), 0, value)) this.#patterns -= 1;
    this.#remembered.clear();
  }

  /** Every value whose pattern matches the concrete topic, each once. The array belongs to the index. */
  match(topic: string): readonly T[] {
    const known = this.#remembered.get(topic);
    if (known !== undefined) return known;
    const found = new Set<T>(this.#exact.get(topic));
    if (this.#patterns > 0) {
      const words = topic.split(".");
      if (isDeadLetterTopic(topic)) {
        const dead = this.#root.children.get("dlq");
        if (dead !== undefined) collect(dead, words, 1, found);
      } else {
        collect(this.#root, words, 0, found);
      }
    }
    const matches = [...found];
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(topic, matches);
    return matches;
  }

  #setFor(pattern: string): Set<T> {
    const words = pattern.split(".");
    const tail = words.at(-1) === ">";
    if (tail) words.pop();
    let node = this.#root;
    for (const word of words) {
      let next = node.children.get(word);
      if (next === undefined) {
        next = emptyNode();
        node.children.set(word, next);
      }
      node = next;
    }
    return tail ? node.tail : node.here;
  }
}

function emptyNode<T>(): TreeNode<T> {
  return { children: new Map(), here: new Set(), tail: new Set() };
}

function collect<T>(node: TreeNode<T>, words: readonly string[], index: number, found: Set<T>): void {
  if (index < words.length) for (const value of node.tail) found.add(value);
  const word = words[index];
  if (word === undefined) {
    for (const value of node.here) found.add(value);
    return;
  }
  const exact = node.children.get(word);
  if (exact !== undefined) collect(exact, words, index + 1, found);
  const any = word === "*" ? undefined : node.children.get("*");
  if (any !== undefined) collect(any, words, index + 1, found);
}

function removeFrom<T>(node: TreeNode<T>, words: readonly string[], index: number, value: T): boolean {
  const word = words[index];
  if (word === undefined) return node.here.delete(value);
  if (word === ">" && index === words.length - 1) return node.tail.delete(value);
  const child = node.children.get(word);
  if (child === undefined) return false;
  const removed = removeFrom(child, words, index + 1, value);
  if (child.children.size === 0 && child.here.size === 0 && child.tail.size === 0) node.children.delete(word);
  return removed;
}
