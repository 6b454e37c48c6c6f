import { randomUUID } from "node:crypto";
import { BrokerError } from "../../errors.ts";
import { systemClock } from "../../internal/clock.ts";
import { before } from "../../internal/wait.ts";
import type { Node, Registry, Service } from "../../registry.ts";
import type { HttpOptions } from "./options.ts";
import { subscriptionRecord } from "./records.ts";
import { openSecurity } from "./security/open-security.ts";
import { checkTlsOptions } from "./security/tls-options.ts";
import { SERVICE_NAMES } from "./service-names.ts";
import type { ByteReader } from "./wire/byte-reader.ts";
import { dial, type OwnSide } from "./wire/dial.ts";
import { FRAME, GOODBYE } from "./wire/frames.ts";
import { type Announcement, readAnnouncement } from "./wire/subscribe-frame.ts";
import { Turn } from "./wire/turn.ts";
import type { WireConnection } from "./wire/wire-connection.ts";

/** How long a peer may take to tell its subscriptions, in milliseconds. */
const ANSWER_TIMEOUT_MS = 2_000;

/** How the peers protect their connections, and who is told of those that let nobody ask. */
export interface SurveyOptions extends Pick<HttpOptions, "secret" | "tls"> {
  /** A live peer does not trust who asks, or is not trusted. */
  readonly onRefused?: (error: BrokerError) => void;
}

/** Where somebody who only asks says that it listens: nobody does. */
const NOWHERE = "127.0.0.1:1";

/**
 * Asks the live brokers that a registry names for their subscriptions, and makes records of them like those that go-micro
 * peers have in the registry: service `tidings.http.broker`, version the queue. One that does not answer has none, and so has
 * one that lets nobody in who is in no registry itself, as with `secure: true`, or has other certificates or another secret.
 * @param options the peers' own, where they have a secret or certificates
 * @throws BrokerError `ERR_INVALID_OPTION`
 */
export async function surveyPeers(registry: Registry, options: SurveyOptions = {}): Promise<Service[]> {
  const services = await registry.getService(SERVICE_NAMES.peers);
  const nodes = services.flatMap((service) => service.nodes);
  if (nodes.length === 0) return [];
  if (options.tls !== undefined) checkTlsOptions(options.tls);
  const { security } = await openSecurity(options, registry, {});
  const own: OwnSide = {
    terms: { peerId: randomUUID(), address: NOWHERE, maxMessageBytes: 1, idleMs: ANSWER_TIMEOUT_MS },
    secret: security.proofKey,
    clock: systemClock,
    turn: new Turn(),
    security,
    handshakeTimeoutMs: ANSWER_TIMEOUT_MS,
    // It listens nowhere.
    refused: () => {},
  };
  const told = await Promise.all(nodes.map((node) => askPeer(node, own, options.onRefused)));
  return merged(
    told.flatMap((announcements, index) => {
      const { id, address } = nodes[index] as Node;
      return announcements.map((announcement) =>
        subscriptionRecord(announcement, { address, peerId: id, goMicro: false, secure: false }),
      );
    }),
  );
}

/** The subscriptions of one peer: it tells them as soon as a connection is there. */
async function askPeer(
  { address }: Node,
  own: OwnSide,
  onRefused: SurveyOptions["onRefused"],
): Promise<Announcement[]> {
  const announcements: Announcement[] = [];
  let connection: WireConnection | undefined;
  const told = new Promise<void>((resolve, reject) => {
    const attempt = dial(address, own, (opened) => {
      connection = opened;
      opened.handTo({
        frame(type: number, reader: ByteReader) {
          if (type === FRAME.subscribe) announcements.push(readAnnouncement(reader));
          else if (type === FRAME.ready || type === FRAME.goodbye) resolve();
        },
        chunkBegins() {},
        chunkEnds() {},
        beforeFlush() {},
        drained() {},
        closed: () => resolve(),
      });
    });
    attempt.done.catch(reject);
  });
  try {
    await before(systemClock, systemClock.now() + ANSWER_TIMEOUT_MS, told);
  } catch (error) {
    // Else it is gone, or is none of ours: it has nothing to tell.
    if (error instanceof BrokerError && error.code === "ERR_AUTHENTICATION") onRefused?.(error);
  }
  connection?.goodbye(GOODBYE.leaving, "that was all");
  return announcements;
}

/** One record for each version, with all nodes of it, as a registry answers. */
function merged(records: readonly Service[]): Service[] {
  const byVersion = new Map<string, Service>();
  for (const record of records) {
    const known = byVersion.get(record.version);
    byVersion.set(
      record.version,
      known === undefined ? record : { ...known, nodes: [...known.nodes, ...record.nodes] },
    );
  }
  return [...byVersion.values()];
}
