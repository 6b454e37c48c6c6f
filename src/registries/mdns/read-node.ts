import { BrokerError } from "../../errors.ts";
import type { Service } from "../../registry.ts";
import { copyService } from "../copy-service.ts";
import { isLoopbackAddress } from "./interfaces.ts";
import { prefixOf, serviceName } from "./names.ts";
import type { ReadInstance } from "./packets.ts";
import { decodeText, type TextContent } from "./txt.ts";

/** How many text records are remembered decoded, and of how many bytes at most: the same ones come again and again. */
const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_BYTES = 8_192;

/** Reads the nodes of a domain. */
export class NodeReader {
  readonly #domain: string;
  /** Text records by their bytes, oldest first. */
  readonly #texts = new Map<string, TextContent | undefined>();

  constructor(domain: string) {
    this.#domain = domain;
  }

  /**
   * The service with one node that an instance of a packet stands for; `undefined` where it is none: no text record of
   * go-micro's, a name that does not fit it, or the loopback address of another host.
   */
  read(instance: ReadInstance, fromOwnHost: boolean): Service | undefined {
    if (isLoopbackAddress(instance.ip) && !fromOwnHost) return undefined;
    const content = this.#content(instance.text);
    if (content === undefined) return undefined;
    const id = prefixOf(instance.name, serviceName(content.service, this.#domain));
    if (id === undefined) return undefined;
    const address = addressOf(instance, content.address, fromOwnHost);
    try {
      return copyService({
        name: content.service,
        version: content.version,
        metadata: content.serviceMetadata,
        endpoints: content.endpoints,
        nodes: [{ id: content.id ?? id, address, metadata: content.nodeMetadata }],
      });
    } catch (error) {
      // Anybody may send anything; what is no record is not one.
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  #content(text: readonly Buffer[]): TextContent | undefined {
    const key = Buffer.concat(text).toString("latin1");
    if (this.#texts.has(key)) return this.#texts.get(key);
    const content = decodeText(text);
    if (key.length > MAX_REMEMBERED_BYTES) return content;
    if (this.#texts.size >= MAX_REMEMBERED) this.#texts.delete(this.#texts.keys().next().value ?? "");
    this.#texts.set(key, content);
    return content;
  }
}

/** What the text record says, where it stands for no IP address, counts; but it cannot bring in a loopback address either. */
function addressOf({ ip, port }: ReadInstance, told: unknown, fromOwnHost: boolean): unknown {
  if (told === undefined || (!fromOwnHost && typeof told === "string" && namesLoopback(told)))
    return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
  return told;
}

function namesLoopback(address: string): boolean {
  const host = address
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return host === "localhost" || host.endsWith(".localhost") || isLoopbackAddress(host);
}
