/** Why there can be no namespace here; `undefined` where there can. */
export function namespaceRefusal(): string | undefined;
