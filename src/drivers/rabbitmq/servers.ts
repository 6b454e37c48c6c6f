import { BrokerError } from "../../errors.ts";

/** One node of a cluster, or the only server. */
export interface Server {
  readonly host: string;
  readonly port: number;
  /** For people: without credentials. */
  readonly address: string;
}

/** The servers of one cluster. Who connects begins with any of them, so that processes spread, and then takes them in turn. */
export class Servers {
  readonly #servers: readonly Server[];
  #next: number;

  /** @param first the index of the one to begin with. Default: any. */
  constructor(servers: readonly Server[], first: number = Math.floor(Math.random() * servers.length)) {
    this.#servers = servers;
    this.#next = first;
  }

  get size(): number {
    return this.#servers.length;
  }

  /**
   * The first that opens, each tried once: the one after that which was tried last comes first, since whoever asks again has lost
   * that one, or could not use it.
   * @throws BrokerError the refusal, where one refuses rather than being away, with what all of them say
   */
  async open<T>(open: (server: Server) => Promise<T>): Promise<T> {
    const failures: BrokerError[] = [];
    while (failures.length < this.#servers.length) {
      const server = this.#servers[this.#next] as Server;
      this.#next = (this.#next + 1) % this.#servers.length;
      try {
        return await open(server);
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        failures.push(error);
      }
    }
    throw summaryOf(failures);
  }
}

function summaryOf(failures: readonly BrokerError[]): BrokerError {
  const [first] = failures as [BrokerError];
  if (failures.length === 1) return first;
  const cause = failures.find((failure) => !failure.retryable) ?? first;
  const { code, retryable } = cause;
  const message = `No server lets this client in. ${failures.map((failure) => failure.message).join(" ")}`;
  return new BrokerError(code, message, { driver: "rabbitmq", retryable, cause });
}
