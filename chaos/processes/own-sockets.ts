import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/** The channels on which Node tells of every TCP socket that the process opens or accepts. */
const CHANNELS = ["net.client.socket", "net.server.socket"];

/** From now on keeps account of the process's TCP sockets; returns what resets all of them, and says how many there were. */
export function resetOwnSockets(): () => number {
  const open = new Set<Socket>();
  const watch = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  };
  for (const channel of CHANNELS) subscribe(channel, watch);
  return () => {
    const connected = [...open].filter((socket) => !socket.connecting && !socket.destroyed);
    for (const socket of connected) socket.resetAndDestroy();
    return connected.length;
  };
}
