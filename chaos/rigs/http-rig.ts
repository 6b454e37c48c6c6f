import { BrokerError } from "tidings";
import { cutProcessByKernel, kernelCuts } from "./cut-process.ts";
import type { Rig } from "./rig.ts";

/**
 * Processes that talk to each other directly. There is nothing between them, so that the kernel cuts their connections, or
 * where it may not, they reset their own.
 * @throws BrokerError `ERR_INVALID_OPTION` for an address with a port, on which only one of them could listen
 */
export async function httpRig(url: string): Promise<Rig> {
  const { port } = new URL(url);
  // A URL without a port has the scheme's.
  if (port !== "0") {
    throw new BrokerError(
      "ERR_INVALID_OPTION",
      "Each process of the http broker listens at an address of its own: give port 0, or no address.",
    );
  }
  const byKernel = await kernelCuts();
  return {
    broker: "http",
    urlOf: async () => url,
    directUrl: url,
    keptBy: "publisher",
    engine: undefined,
    cut: async (_name, pid) => (byKernel ? cutProcessByKernel(pid) : undefined),
    cutHow: byKernel ? "by the kernel (ss -K)" : "by the process itself, which resets its sockets",
    close: async () => undefined,
  };
}
