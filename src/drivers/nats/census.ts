import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import type { DriverContext } from "../../driver.ts";
import type { NatsClient } from "./client.ts";
import type { Member } from "./member.ts";
import type { Names } from "./subjects.ts";

/** How long no further process has to answer, and all of them together, in milliseconds. */
const QUIET_MS = 100;
const WITHIN_MS = 1_000;

/** Counts the live members of each consumer: every process of the prefix is asked for its own. */
export class Census {
  readonly #client: NatsClient;
  readonly #connection: NatsConnection;
  readonly #context: DriverContext;
  readonly #subject: string;
  readonly #answers: Subscription;

  constructor(
    client: NatsClient,
    connection: NatsConnection,
    context: DriverContext,
    names: Names,
    members: ReadonlySet<Member>,
  ) {
    this.#client = client;
    this.#connection = connection;
    this.#context = context;
    this.#subject = names.census;
    this.#answers = connection.subscribe(this.#subject, {
      callback: (error, message) => {
        if (error !== null) return;
        const own: Record<string, number> = Object.create(null);
        for (const { wanted } of members) own[wanted.config.durable_name] = (own[wanted.config.durable_name] ?? 0) + 1;
        message.respond(JSON.stringify(own));
      },
    });
  }

  /** Answers no more. */
  close(): void {
    if (!this.#connection.isClosed()) this.#answers.unsubscribe();
  }

  /** How many live members each consumer has, by name. */
  count(): Promise<ReadonlyMap<string, number>> {
    const { clock } = this.#context;
    const counts = new Map<string, number>();
    const inbox = this.#client.createInbox();
    return new Promise((resolve) => {
      const done = (): void => {
        quiet.cancel();
        late.cancel();
        if (!this.#connection.isClosed()) subscription.unsubscribe();
        resolve(counts);
      };
      const late = clock.after(WITHIN_MS, done);
      let quiet = clock.after(WITHIN_MS, done);
      const subscription = this.#connection.subscribe(inbox, {
        callback: (error, message) => {
          if (error !== null) return;
          for (const [name, members] of Object.entries(membersOf(message)))
            counts.set(name, (counts.get(name) ?? 0) + members);
          quiet.cancel();
          quiet = clock.after(QUIET_MS, done);
        },
      });
      this.#connection.publish(this.#subject, "", { reply: inbox });
    });
  }
}

/** How many members of each consumer a process says that it has; none where the answer is not one of Tidings. */
function membersOf(message: Msg): Record<string, number> {
  try {
    const members = message.json<unknown>();
    const whole = typeof members === "object" && members !== null && Object.values(members).every(Number.isInteger);
    return whole ? (members as Record<string, number>) : {};
  } catch {
    return {};
  }
}
