// Where messages of go-micro peers end up when they are recorded: something of each transport that is no Tidings, and takes
// what comes as it comes.
import { createServer } from "node:net";
import { registry } from "./node-peer.mjs";
import { until } from "./wait.mjs";

/** Where the server listens that stands for a subscriber over HTTP: always the same, since the requests name it. */
const HTTP_PORT = 7_001;

/** A subscriber over HTTP, in go-micro's registry: requests as they came, byte for byte. */
export async function httpSink(_address, topics, oldWire) {
  const requests = [];
  const server = createServer((socket) => readRequests(socket, (request) => requests.push(request)));
  await new Promise((resolve) => server.listen(HTTP_PORT, "127.0.0.1", resolve));
  const address = `127.0.0.1:${HTTP_PORT}`;
  const service = {
    name: oldWire ? "go.micro.http.broker" : "micro.http.broker",
    version: "ff.http.broadcast",
    metadata: {},
    endpoints: [],
    // One character of each id has to be escaped in a request.
    nodes: topics.map((topic) => ({
      id: `${topic}-a&b`,
      address,
      metadata: { broker: "http", secure: "false", topic },
    })),
  };
  const [own, other] = [registry(), registry()];
  await own.register(service, { standing: true });
  await until(async () => {
    const found = await other.getService(service.name);
    return found.flatMap(({ nodes }) => nodes).length === topics.length;
  }, "the registry showed the topics");
  return {
    take: (topic) => requests.find(({ requestLine }) => requestLine.includes(`id=${topic}-`)),
    async end() {
      await own.deregister(service);
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A client of core NATS. */
export async function natsSink(address) {
  const { connect } = await import("@nats-io/transport-node");
  const connection = await connect({ servers: address });
  const messages = [];
  connection.subscribe(">", {
    callback: (_error, { subject, reply, headers, data }) =>
      messages.push({
        subject,
        reply: reply || null,
        headers: headers === undefined ? null : Object.fromEntries(headers),
        payload: Buffer.from(data).toString("base64"),
      }),
  });
  await connection.flush();
  return { take: (topic) => messages.find(({ subject }) => subject === topic), end: () => connection.close() };
}

/** A client of RabbitMQ, with a queue on go-micro's exchange. */
export async function rabbitmqSink(address) {
  const { connect } = await import("amqplib");
  const connection = await connect(`amqp://${address}`);
  const channel = await connection.createChannel();
  await channel.assertExchange("micro", "topic", { durable: false });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, "micro", "#");
  const messages = [];
  await channel.consume(
    queue,
    ({ fields: { exchange, routingKey }, properties: { headers, ...properties }, content }) =>
      messages.push({ exchange, routingKey, properties, headers, body: content.toString("base64") }),
    { noAck: true },
  );
  return {
    take: (topic) => messages.find(({ routingKey }) => routingKey === topic),
    end: () => connection.close(),
  };
}

function readRequests(socket, onRequest) {
  let received = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (;;) {
      const end = received.indexOf("\r\n\r\n");
      if (end === -1) return;
      const [requestLine, ...lines] = received.subarray(0, end).toString("latin1").split("\r\n");
      const headers = lines.map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]);
      const length = Number(headers.find(([name]) => name === "Content-Length")?.[1] ?? 0);
      const bodyAt = end + 4;
      if (received.length < bodyAt + length) return;
      const body = received.subarray(bodyAt, bodyAt + length).toString("base64");
      received = received.subarray(bodyAt + length);
      onRequest({ requestLine, headers, body });
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
}
