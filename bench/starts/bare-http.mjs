// A process that ends when a bare server has answered its first request.
import { createServer, request } from "node:http";

const server = createServer((received, response) => received.resume().on("end", () => response.end()));
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  const first = request({ port, host: "127.0.0.1", method: "POST" }, (response) =>
    response.resume().on("end", () => process.exit(0)),
  );
  first.end("first");
});
