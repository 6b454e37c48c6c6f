import { converse } from "./conversation.ts";

/** What a NATS server says of itself at the start of a connection. */
interface NatsInfo {
  readonly server_name: string;
  readonly version: string;
  readonly jetstream?: boolean;
  readonly auth_required?: boolean;
  readonly tls_required?: boolean;
}

/** How a probe logs in. */
export type NatsCredentials = { readonly user: string; readonly password: string } | { readonly token: string };

/** What must be up. */
export interface NatsProbe {
  readonly port: number;
  readonly serverName: string;
  readonly jetstream: boolean;
  readonly auth?: NatsCredentials;
}

/**
 * Whether this server is up: its INFO, then PING and PONG, then an answer of JetStream. Where it wants TLS or credentials
 * that the probe does not have, INFO decides; a server says it only once JetStream is up.
 * @throws while it is not up.
 */
export async function probeNats({ port, serverName, jetstream, auth }: NatsProbe, signal: AbortSignal): Promise<void> {
  await converse(port, signal, async ({ send, expect }) => {
    const info = await expect(readInfo);
    if (info.server_name !== serverName) throw new Error(`port ${port} belongs to ${info.server_name}`);
    if (jetstream && info.jetstream !== true) throw new Error("JetStream is not up");
    if (info.tls_required || (info.auth_required && auth === undefined)) return;
    send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...login(auth) })}\r\nPING\r\n`);
    await expect(answered("PONG\r\n"));
    if (!jetstream) return;
    send("SUB _INBOX.probe 1\r\nPUB $JS.API.INFO _INBOX.probe 0\r\n\r\n");
    const answer = await expect(answered('"type":'));
    if (answer.includes('"error"')) throw new Error(`JetStream is not up: ${answer}`);
  });
}

function login(auth: NatsCredentials | undefined): Record<string, string> {
  if (auth === undefined) return {};
  return "token" in auth ? { auth_token: auth.token } : { user: auth.user, pass: auth.password };
}

function readInfo(received: Buffer): NatsInfo | undefined {
  const [, json] = /^INFO (.*)\r\n/.exec(received.toString("utf8")) ?? [];
  return json === undefined ? undefined : (JSON.parse(json) as NatsInfo);
}

/** Takes what was received once it contains a text. @throws what the server objects to. */
function answered(text: string): (received: Buffer) => string | undefined {
  return (received) => {
    const said = received.toString("utf8");
    if (said.startsWith("-ERR")) throw new Error(said.trim());
    return said.includes(text) ? said : undefined;
  };
}
