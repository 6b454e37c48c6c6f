import { converse } from "./conversation.ts";

/** EPMD's question for the names it knows: a length of one byte, then the request. */
const NAMES_REQUEST = Buffer.from([0, 1, 110]);
const PORT_BYTES = 4;

/** Whether an Erlang port mapper answers. @throws while it does not. */
export async function probeEpmd(port: number, signal: AbortSignal): Promise<void> {
  await converse(port, signal, async ({ send, expect }) => {
    send(NAMES_REQUEST);
    const answered = await expect((received) => (received.length >= PORT_BYTES ? received.readUInt32BE(0) : undefined));
    if (answered !== port) throw new Error(`port ${port} belongs to something else`);
  });
}
