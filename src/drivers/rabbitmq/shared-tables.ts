/** How many tables are kept before all are forgotten. */
const LIMIT = 100;

/**
 * The header tables that the client is given: one object for all messages with the same names, which holds the values of the
 * one that is being written. The client writes a message at once, from an object that has the table as its prototype
 * (`publish` in `lib/api_args.js` of amqplib 2); and a prototype that is new each time costs as much as the rest of a publish.
 */
export class SharedTables {
  readonly #tables = new Map<string, Record<string, unknown>>();

  /** The table with these names and values, until the next call. */
  filled(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const names = Object.keys(headers);
    // No name has a line break.
    const table = this.#table(names.join("\n"));
    for (const name of names) table[name] = headers[name];
    return table;
  }

  #table(names: string): Record<string, unknown> {
    const known = this.#tables.get(names);
    if (known !== undefined) return known;
    if (this.#tables.size >= LIMIT) this.#tables.clear();
    const table: Record<string, unknown> = Object.create(null);
    this.#tables.set(names, table);
    return table;
  }
}
