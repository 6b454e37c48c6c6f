import { type ServerResponse, STATUS_CODES } from "node:http";

/** Answers with an error as go-micro writes it: JSON with `id`, `code`, `detail` and `status`, and a line break. */
export function sendGoError(response: ServerResponse, code: number, detail: string): void {
  // go-micro sends a wrong method as 405 with the code 400 inside.
  const inner = code === 405 ? 400 : code;
  const body = `${JSON.stringify({ id: "go.micro.broker", code: inner, detail, status: STATUS_CODES[inner] ?? "" })}\n`;
  send(response, code, "text/plain; charset=utf-8", body);
}

/** Answers a Tidings peer with a status and a short reason. */
export function sendStatus(response: ServerResponse, status: number, reason: string): void {
  send(response, status, "application/json", JSON.stringify({ status, reason }));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "X-Content-Type-Options": "nosniff",
  });
  response.end(body);
}
