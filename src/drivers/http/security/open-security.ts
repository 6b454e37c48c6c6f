import type { Registry } from "../../../registry.ts";
import { secretFrom } from "../../../secret-from.ts";
import type { HttpOptions } from "../options.ts";
import { certificates } from "./certificates.ts";
import { pinned } from "./pinned.ts";
import type { Security } from "./security.ts";
import { keyFrom, secretBytes, sharedSecret } from "./shared-secret.ts";

/** A secret shorter than this may be found by trying, in bytes: a warning says so. */
const SHORT_SECRET_BYTES = 16;

/** How the options ask for connections to be protected, and what to warn of. */
export interface OpenedSecurity {
  readonly security: Security;
  /** Whether what is proved is the registry's secret. */
  readonly provesRegistry: boolean;
  readonly warnings: readonly string[];
}

/**
 * Decides on the protection of connections: certificates where they are given, else the secret, else generated certificates,
 * else none. Whatever it is, a secret is proved within it: the option's, or else that of the registry.
 * @throws BrokerError `ERR_INVALID_OPTION`, `ERR_MISSING_DEPENDENCY`, `ERR_REGISTRY`
 */
export async function openSecurity(
  options: Pick<HttpOptions, "secret" | "tls" | "secure">,
  registry: Registry,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<OpenedSecurity> {
  const given = options.secret ?? secretFrom(env, "TIDINGS_SECRET", "TIDINGS_SECRET_FILE");
  const secret = given === undefined ? undefined : secretBytes(given);
  const warnings =
    secret !== undefined && secret.length < SHORT_SECRET_BYTES
      ? [
          `The secret of the HTTP broker has fewer than ${SHORT_SECRET_BYTES} bytes, and may be found by trying. Make one with: openssl rand -base64 32`,
        ]
      : [];
  const proofKey = secret === undefined ? await registry.secret?.() : keyFrom(secret, "proof");
  const security =
    options.tls !== undefined
      ? await certificates(options.tls, proofKey)
      : secret !== undefined
        ? sharedSecret(secret)
        : options.secure === true
          ? await pinned(registry, proofKey)
          : unprotected(proofKey);
  return { security, provesRegistry: secret === undefined, warnings };
}

/** No encryption: what there is to prove is proved in the open, by HMAC. */
export function unprotected(proofKey: Uint8Array | undefined): Security {
  return {
    kind: "none",
    proofKey,
    provesPeers: proofKey !== undefined,
    goMicro: "plain",
    metadata: {},
    server: undefined,
    client: () => undefined,
    admits: () => undefined,
  };
}
