import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { BrokerError, describeError } from "../../errors.ts";
import type { Timer } from "../../internal/clock.ts";
import { backgroundClock } from "../background-clock.ts";
import { mainWays, multicastWays, type Way } from "./interfaces.ts";

/** The port of mDNS (RFC 6762, section 3). */
const MDNS_PORT = 5353;

/** The groups of mDNS (RFC 6762, section 3). */
const GROUPS = { udp4: "224.0.0.251", udp6: "ff02::fb" } as const;

/** What mDNS packets carry as their time to live (RFC 6762, section 11). */
const MULTICAST_TTL = 255;

/** How often interfaces that came or went are looked for while it listens, in milliseconds. */
const RESCAN_MS = 5_000;

interface Sender {
  readonly socket: Socket;
  /** Bound, and told which interface to send by. */
  readonly ready: Promise<void>;
}

/** Hears of every packet, from where it came, and whether it answers what this registry asked. */
export type PacketListener = (packet: Buffer, from: RemoteInfo, answers: boolean) => void;

/**
 * The sockets of one mDNS registry: on port 5353, shared with other processes, where questions and announcements arrive; and
 * one for each interface and family with a port of its own, which sends, and hears the answers to what it asked. None of
 * them keeps the process alive.
 */
export class MulticastSockets {
  readonly #only: readonly string[] | undefined;
  readonly #onPacket: PacketListener;
  readonly #senders = new Map<string, Sender>();
  readonly #listeners = new Map<Way["family"], Socket>();
  /** Interfaces that each listening socket has joined its group on. */
  readonly #joined = new Set<string>();
  #opening: Promise<void> | undefined;
  #rescan: Timer | undefined;

  constructor(only: readonly string[] | undefined, onPacket: PacketListener) {
    this.#only = only;
    this.#onPacket = onPacket;
  }

  /**
   * Hears questions and announcements from when it resolves.
   * @throws BrokerError `ERR_REGISTRY` where the port cannot be had
   */
  listen(): Promise<void> {
    this.#opening ??= this.#listen().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /**
   * Sends a packet to everybody, by every interface.
   * @param everyWay by IPv6 as well where there is IPv4, and by loopback. Each copy is answered by everybody who hears it.
   * @throws BrokerError `ERR_REGISTRY` (retryable) where no interface takes it
   */
  async multicast(packet: Buffer, everyWay = false): Promise<void> {
    const all = multicastWays(this.#only);
    const ways = everyWay ? all : mainWays(all);
    const failures: unknown[] = [];
    await Promise.all(
      ways.map(async (way) => {
        try {
          const { socket, ready } = this.#sender(way);
          await ready;
          await send(socket, packet, MDNS_PORT, GROUPS[way.family]);
        } catch (error) {
          // An interface without a link or a route; it counts where no other takes the packet.
          failures.push(error);
          this.#drop(way);
        }
      }),
    );
    if (failures.length < ways.length) return;
    const why = failures.length === 0 ? "this host has no interface for it" : describeError(failures[0]);
    throw new BrokerError("ERR_REGISTRY", `No multicast packet can be sent: ${why}.`, { cause: failures[0] });
  }

  /** Sends a packet to one that asked; what is lost is asked for again. */
  reply(packet: Buffer, { family, port, address }: RemoteInfo): void {
    this.#listeners.get(family === "IPv6" ? "udp6" : "udp4")?.send(packet, port, address, () => {});
  }

  /** Stops hearing questions and announcements. Idempotent. */
  unlisten(): void {
    this.#opening = undefined;
    this.#rescan?.cancel();
    this.#rescan = undefined;
    for (const socket of this.#listeners.values()) socket.close();
    this.#listeners.clear();
    this.#joined.clear();
  }

  /** Closes every socket; the next call opens them anew. Idempotent. */
  close(): void {
    this.unlisten();
    for (const { socket } of this.#senders.values()) socket.close();
    this.#senders.clear();
  }

  async #listen(): Promise<void> {
    const failures: unknown[] = [];
    for (const family of ["udp4", "udp6"] as const) {
      const socket = this.#open(family, false);
      this.#listeners.set(family, socket);
      try {
        await bind(socket, MDNS_PORT);
      } catch (error) {
        // Closed by `unlisten` meanwhile, or refused: a host may have one of the families only.
        failures.push(error);
        if (this.#listeners.get(family) !== socket) continue;
        this.#listeners.delete(family);
        socket.close();
      }
    }
    if (this.#listeners.size === 0)
      throw new BrokerError(
        "ERR_REGISTRY",
        `The mDNS port ${MDNS_PORT} cannot be shared: ${describeError(failures[0])}. Another program may hold it for itself.`,
        { cause: failures[0] },
      );
    this.#join();
  }

  #join(): void {
    const ways = multicastWays(this.#only);
    const present = new Set(ways.map(keyOf));
    for (const key of [...this.#joined]) if (!present.has(key)) this.#joined.delete(key);
    for (const way of ways) {
      const socket = this.#listeners.get(way.family);
      if (socket === undefined || this.#joined.has(keyOf(way))) continue;
      try {
        socket.addMembership(GROUPS[way.family], way.via);
        this.#joined.add(keyOf(way));
      } catch (error) {
        // An interface that came back is still joined by its old membership; one that refuses is tried again.
        if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") this.#joined.add(keyOf(way));
      }
    }
    this.#rescan = backgroundClock.after(RESCAN_MS, () => this.#join());
  }

  #sender(way: Way): Sender {
    const known = this.#senders.get(keyOf(way));
    if (known !== undefined) return known;
    const socket = this.#open(way.family, true);
    const ready = bind(socket, 0).then(() => {
      socket.setMulticastInterface(way.via);
      socket.setMulticastTTL(MULTICAST_TTL);
      socket.setMulticastLoopback(true);
    });
    const sender = { socket, ready };
    this.#senders.set(keyOf(way), sender);
    return sender;
  }

  #drop(way: Way): void {
    this.#senders.get(keyOf(way))?.socket.close();
    this.#senders.delete(keyOf(way));
  }

  #open(type: Way["family"], answers: boolean): Socket {
    const socket = createSocket({ type, reuseAddr: true, ...(type === "udp6" ? { ipv6Only: true } : {}) });
    socket.unref();
    socket.on("message", (packet, from) => this.#onPacket(packet, from, answers));
    // A socket reports what the network makes of earlier packets: nothing that could be acted upon.
    socket.on("error", () => {});
    return socket;
  }
}

function keyOf({ family, via }: Way): string {
  return `${family} ${via}`;
}

function bind(socket: Socket, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      socket.off("error", settle).off("listening", onListening).off("close", onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onListening = () => settle();
    const onClose = () => settle(new Error("the socket was closed"));
    socket.on("error", settle).on("listening", onListening).on("close", onClose);
    // Binding to an address would leave out what is sent to the group; exclusive, or the workers of a cluster share one socket.
    socket.bind({ port, exclusive: true });
  });
}

function send(socket: Socket, packet: Buffer, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(packet, port, address, (error) => (error == null ? resolve() : reject(error)));
  });
}
