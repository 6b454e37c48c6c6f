/** A user or password in a URL, or before an address. */
const CREDENTIALS = /^([a-z][a-z0-9+.-]*:\/\/)?.*@/is;

/** A user or password in a value, wherever it stands. */
const HIDDEN_IN_FLAG = /^[a-z][a-z0-9+.-]*:\/\/.*@|\/\/[^/]*@/is;

/** A value as messages may show it: without what stands before an `@`, and without the query of a URL. */
export function masked(text: string): string {
  return text.replace(CREDENTIALS, "$1…@").replace(/^([^?]*:\/\/[^?]*\?).*$/s, "$1…");
}

/** Whether a value holds a user or password, which must not be given in a flag: other users of the host can read it. */
export function holdsCredentials(text: string): boolean {
  return HIDDEN_IN_FLAG.test(text);
}
