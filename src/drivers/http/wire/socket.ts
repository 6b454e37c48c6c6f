import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { BrokerError } from "../../../errors.ts";
import { type Address, formatAddress } from "../address.ts";
import type { PeerTls, Security } from "../security/security.ts";
import { tlsReason } from "../security/tls-reasons.ts";

/** A connection to a peer that is being opened. */
export interface Opening {
  /**
   * Resolves when the connection stands, and the other side has been looked at where there is something to look at. Nothing was
   * sent to it until then. Rejects with `BrokerError` `ERR_AUTHENTICATION`, or the network's error; nothing is left then.
   */
  readonly done: Promise<Socket>;
  /** Gives up. */
  cancel(): void;
}

/** How connections to peers are protected. */
export type Dialling = Pick<Security, "kind" | "client">;

/** Opens a connection to a peer: the one place where this driver dials. */
export function openSocket(address: Address, security: Dialling): Opening {
  let socket: Socket | undefined;
  let isCancelled = false;
  const opened = (made: Socket, event: string, verify: () => string | undefined): Promise<Socket> => {
    socket = made;
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        made.destroy();
        const why = tlsReason(error, security.kind);
        reject(why === undefined ? error : untrusted(formatAddress(address), why, error));
      };
      made.once("error", fail);
      made.once("close", () => fail(Object.assign(new Error("the connection was lost"), { code: "ECONNRESET" })));
      made.once(event, () => {
        const why = verify();
        if (why !== undefined) return fail(untrusted(formatAddress(address), why));
        // What listens for errors stays, for the moment before somebody else does.
        resolve(made);
      });
    });
  };
  const plain = () => opened(connect(address), "connect", () => undefined);
  const encrypted = async ({ options, verify }: PeerTls) => {
    if (isCancelled) throw Object.assign(new Error("the broker is disconnecting"), { code: "ECONNABORTED" });
    const tls = connectTls({ ...options, ...address });
    return opened(tls, "secureConnect", () => verify(tls));
  };
  return {
    done: security.client(address)?.then(encrypted) ?? plain(),
    cancel() {
      isCancelled = true;
      socket?.destroy();
    },
  };
}

/** The other side of a connection is not who it should be, or does not take this side for who it is. */
export function untrusted(address: string, why: string, cause?: unknown): BrokerError {
  const message = `The peer at ${address} is not trusted: ${why}.`;
  return new BrokerError("ERR_AUTHENTICATION", message, { driver: "http", ...(cause === undefined ? {} : { cause }) });
}
