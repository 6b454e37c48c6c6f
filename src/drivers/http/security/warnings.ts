import { type Address, formatAddress, isLoopback } from "../address.ts";
import type { Security } from "./security.ts";

/** What {@link bindingWarnings} look at. */
export interface Binding {
  /** Where the broker listens. */
  readonly listening: Address;
  readonly security: Pick<Security, "kind" | "provesPeers" | "goMicro">;
  /** Where go-micro peers come, who are asked for less than the others. */
  readonly goMicro: string | undefined;
}

/** What to warn of: at most one line for each door. */
export function bindingWarnings({ listening, security, goMicro }: Binding): string[] {
  const address = formatAddress(listening);
  const warnings: string[] = [];
  if (!isLoopback(listening.host)) {
    const beyond = `The HTTP broker listens on ${address}, beyond this host`;
    if (security.kind === "none")
      warnings.push(
        `${beyond}, without secret, tls or secure: whoever can reach it can read and change what is sent. Give all processes the same secret, or bind to 127.0.0.1.`,
      );
    else if (!security.provesPeers)
      warnings.push(
        `${beyond}, and asks nobody for a proof: whoever can reach it can send it messages and take part. Add tls.ca (or tls.caFile), or a secret.`,
      );
  }
  if (goMicro !== undefined && security.goMicro === "tls" && security.provesPeers)
    warnings.push(
      `go-micro peers are served without proof, on ${goMicro}, as wire "go-micro" asks for: whoever can reach it can send messages. Add tls.ca (or tls.caFile).`,
    );
  if (goMicro !== undefined && security.goMicro === "plain")
    warnings.push(
      `go-micro peers are served without encryption and without proof, on ${goMicro}, as wire "go-micro" asks for: whoever can reach it can send messages, and what goes to such peers can be read.`,
    );
  return warnings;
}
