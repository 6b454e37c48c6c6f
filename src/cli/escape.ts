// Control characters, and the invisible ones that reorder or break lines: what a message may not do to a terminal.
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text that is safe to write to a terminal: control characters are shown as escapes, such as `\n` and `\u001b`. */
export function visible(text: string): string {
  return text.replace(UNSAFE, (found) => SHORT[found] ?? unicodeEscape(found));
}

/** A value as JSON on one line. What a terminal might act upon is escaped within its strings, so that it means the same. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
