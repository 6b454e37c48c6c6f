import { BrokerError, describeError } from "../../errors.ts";

// AMQP's reply codes.
/** The user has no right to it. */
export const ACCESS_REFUSED = 403;
/** A queue that another connection has for itself. */
export const RESOURCE_LOCKED = 405;
/** What exists has other arguments. */
export const PRECONDITION_FAILED = 406;
/** No such queue or exchange. */
export const NOT_FOUND = 404;

/** The reply code of a native error, or `undefined`. */
export function replyCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "number" ? code : undefined;
}

/** A native error of an operation on a queue or exchange, as one that has its code. */
export function classifyOperation(error: unknown, what: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const message = withoutUser(describeError(error));
  const code = replyCode(error);
  const options = { driver: "rabbitmq", cause: error };
  // Of queues in a virtual host, for one: an operator can raise it.
  if (code === PRECONDITION_FAILED && /limit .*is reached/.test(message))
    return new BrokerError("ERR_DRIVER", `${what}: ${plain(message)}`, { ...options, retryable: true });
  if (code === PRECONDITION_FAILED)
    return new BrokerError("ERR_INVALID_OPTION", `${what} exists with other arguments: ${plain(message)}`, options);
  // A cluster says so as of a queue that is missing.
  if (code === NOT_FOUND && /home node .* is down or inaccessible/.test(message))
    return new BrokerError("ERR_DRIVER", `The node that holds ${what} is down.`, { ...options, retryable: true });
  if (code === ACCESS_REFUSED)
    return new BrokerError("ERR_AUTHENTICATION", `The user may not use ${what}: ${plain(message)}`, {
      driver: "rabbitmq",
    });
  if (code === undefined && /clos|ended|socket|ECONN|EPIPE/i.test(message))
    return new BrokerError("ERR_CONNECTION_LOST", `The connection broke while ${what} was being set up.`, options);
  return new BrokerError("ERR_DRIVER", `${what}: ${plain(message)}`, options);
}

/** A native error of connecting, as one that has its code. Never shows credentials. */
export function classifyConnect(error: unknown, address: string): BrokerError {
  if (error instanceof BrokerError) return error;
  const message = describeError(error);
  const driver = "rabbitmq";
  if (/ACCESS[_-]REFUSED|403/.test(message) || /access to vhost .* refused/.test(message))
    return new BrokerError("ERR_AUTHENTICATION", `RabbitMQ at ${address} refused the credentials.`, { driver });
  if (/got <ConnectionClose/.test(message)) {
    // The client does not tell what the server says.
    const why = "there is none of that name, this user may not use it, or it takes no more connections";
    return new BrokerError("ERR_INVALID_OPTION", `RabbitMQ at ${address} refused the virtual host: ${why}.`, {
      driver,
    });
  }
  if (/SASL mechanism/.test(message))
    return new BrokerError("ERR_AUTHENTICATION", `RabbitMQ at ${address} does not take user and password.`, { driver });
  if (isCertificateProblem(error))
    return new BrokerError("ERR_AUTHENTICATION", `RabbitMQ at ${address} has no certificate to trust: ${message}`, {
      driver,
    });
  if (isOwnCertificateRefused(error))
    return new BrokerError("ERR_AUTHENTICATION", `RabbitMQ at ${address} refused this client's certificate.`, {
      driver,
    });
  const reason = reasonOf(error, message);
  return new BrokerError("ERR_CONNECT_FAILED", `RabbitMQ at ${address} cannot be reached: ${reason}`, { driver });
}

function reasonOf(error: unknown, message: string): string {
  // Node tries every address of a host and puts what it got into one error without a message.
  const errors = (error as { errors?: unknown }).errors;
  if (Array.isArray(errors) && errors.length > 0) return describeError(errors[0]);
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" && !message.includes(code) ? `${code} ${message}` : withoutUser(message);
}

function isCertificateProblem(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code ?? "");
  return /^(?:ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_)/.test(code);
}

/** By the server's TLS alert, in OpenSSL's words. */
function isOwnCertificateRefused(error: unknown): boolean {
  const reason = String((error as { reason?: unknown }).reason ?? "");
  return /alert (?:.*certificate|unknown ca|access denied)/.test(reason);
}

function plain(message: string): string {
  return message.replace(/^.*?(?:with message|; ) ?"?/, "").replace(/"$/, "");
}

/** A server's words without the user's name, which no error shows. */
export function withoutUser(message: string): string {
  return message.replace(/for user '[^']*'/g, "for this user");
}
