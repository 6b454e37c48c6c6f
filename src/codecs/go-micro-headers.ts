import { type Header, isTag } from "../message.ts";

/**
 * The headers that go-micro's client sets and its server reads. `Micro-Id` is the spelling of versions before 4.10.
 * Source: go-micro's `client/rpc_client.go` and `util/metadata`.
 */
export const GO_MICRO_HEADERS = {
  contentType: "Content-Type",
  topic: "Micro-Topic",
  id: "Micro-ID",
  oldId: "Micro-Id",
} as const;

/** The id that a message from a go-micro peer has in its header; `undefined` where there is none that a message may have. */
export function goMicroId(header: Header): string | undefined {
  return [header[GO_MICRO_HEADERS.id], header[GO_MICRO_HEADERS.oldId]].find(isTag);
}
