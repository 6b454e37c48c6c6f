import packet from "dns-packet";
import { describe, expect, test } from "vitest";
import { copyService } from "../../src/registries/copy-service.ts";
import { instanceName, isServiceName, prefixOf } from "../../src/registries/mdns/names.ts";
import {
  announcement,
  goodbye,
  listAnswer,
  nodeAnswer,
  query,
  readInstances,
  readListed,
  readPacket,
  readQuestions,
} from "../../src/registries/mdns/packets.ts";
import { NodeReader } from "../../src/registries/mdns/read-node.ts";
import { decodeText, encodeText } from "../../src/registries/mdns/txt.ts";

// What go-micro v6 sent: text records, and packets around them.
const T1_TEXT =
  "789c3cccb10a02310c87f177f9cfe5c0b5bba393e01edb1c066b53929ccb71ef2e05b9f9e3f7edb87150a520e41d4fd3371b325e110309ce653346c64acd1909a1430a32e28223e1cef69532fb478ae932d5f27f243cd85cb44fbd9e896a210f245c7b1d2a3d1cb96fad1dbf000000ffff5b312ecb";
const GREETER_TEXT = [
  "789c5c90b14ec4301044ff656a9788c2fdd15121d1a02b7cce2aac48d666771de914e5df91ef0217517af4ded89e15afe469489e10575cb47c9122e2d3bd22a06af192cb8488b9e59e288d6caed79e0c620830d2e5e6ec846b12ab45fdb7660b78235d3813224625725204bc931a1741c4949ccc117092a1161637c48f154ad",
  "fade77185a4b9cba785a4737eadc7e392a646776707797850e6ca321e3069d3b4853fd67926f334d787c2e2cf4fff8df3d67f6fb588d13d0a980fdb59bb5856bedcb6706dd4fb4ae58c08ea2fb5bec47ee94b938cedbcfd040000fffffcad8181",
];
const T1_ANSWER = Buffer.from(
  `000084000001000400000000056d6963726f04687474700662726f6b6572056d6963726f00000c0001c00c000c000100000078000a0774312d75756964c00cc0350021000100000078000a000a000111d702766d00c051000100010000007800047f000001c035001000010000007800ebea${Buffer.from(T1_TEXT).toString("hex")}`,
  "hex",
);
const T1_ANNOUNCEMENT = Buffer.from(
  `0000800000000003000000000774312d75756964056d6963726f04687474700662726f6b6572056d6963726f000021000100000078000a000a000111d702766d0002766d00000100010000007800047f0000010774312d75756964056d6963726f04687474700662726f6b6572056d6963726f00001000010000007800ebea${Buffer.from(T1_TEXT).toString("hex")}`,
  "hex",
);
const LIST_ANSWER = Buffer.from(
  "0000840000010004000000000" +
    "95f7365727669636573056d6963726f00000c0001c00c000c0001000000780014056d6963726f04687474700662726f6b6572c00cc02d0021000100000078000a000a0001270f02766d00c0530001000100000078000400000000c02d00100001000000780000",
  "hex",
);
const T1 = {
  name: "micro.http.broker",
  version: "ff.http.broadcast",
  metadata: {},
  endpoints: [],
  nodes: [{ id: "t1-uuid", address: "127.0.0.1:4567", metadata: { broker: "http", secure: "false", topic: "t1" } }],
};

function decoded(bytes: Buffer) {
  const read = readPacket(bytes);
  if (read === undefined) throw new Error("malformed");
  return read;
}

describe("what go-micro sends", () => {
  test.each([
    ["an answer", T1_ANSWER],
    ["an announcement", T1_ANNOUNCEMENT],
  ])("%s is read", (_name, bytes) => {
    const [instance, ...others] = readInstances(decoded(bytes), "micro");
    expect(others).toEqual([]);
    if (instance === undefined) throw new Error("no instance");
    expect(instance).toMatchObject({ name: "t1-uuid.micro.http.broker.micro", port: 4_567, goodbye: false });
    expect(new NodeReader("micro").read(instance, true)).toEqual(T1);
  });

  test("the list of services is read", () => {
    expect(readListed(decoded(LIST_ANSWER), "micro")).toEqual(["micro.http.broker"]);
    expect(readListed(decoded(LIST_ANSWER), "local")).toEqual([]);
  });

  test("a text record of several strings is read", () => {
    const content = decodeText(GREETER_TEXT.map((text) => Buffer.from(text)));
    expect(content).toMatchObject({
      service: "greeter",
      version: "latest",
      nodeMetadata: { broker: "http", protocol: "mucp", registry: "mdns", server: "mucp", transport: "http" },
      endpoints: [
        {
          name: "Func",
          metadata: { subscriber: "true", topic: "events" },
          response: null,
          request: {
            name: "Event",
            type: "Event",
            values: [
              { name: "id", type: "string", values: null },
              { name: "timestamp", type: "int64", values: null },
            ],
          },
        },
      ],
    });
  });

  test("a question is ours to the byte", () => {
    expect(query("micro.http.broker.micro", 0x1234).toString("hex")).toBe(
      "123400000001000000000000056d6963726f04687474700662726f6b6572056d6963726f00000c0001",
    );
  });
});

describe("what we send", () => {
  const text = encodeText(copyService(T1), copyService(T1).nodes[0] as (typeof T1.nodes)[0], {
    id: undefined,
    address: undefined,
  });
  const instance = { name: "t1-uuid.micro.http.broker.micro", host: "vm", ip: "127.0.0.1", port: 4_567, text };

  test("a text record says what go-micro's says", () => {
    expect(decodeText(text)).toEqual(decodeText([Buffer.from(T1_TEXT)]));
    expect(Buffer.concat(text).toString()).toMatch(/^[0-9a-f]+$/);
  });

  test("an announcement has go-micro's records in go-micro's order", () => {
    const { answers: theirs } = packet.decode(T1_ANNOUNCEMENT);
    const { answers: ours, flags } = packet.decode(announcement({ ...instance, text: [Buffer.from(T1_TEXT)] }));
    expect(ours).toEqual(theirs);
    expect(flags).toBe(0);
    expect(announcement({ ...instance, text: [Buffer.from(T1_TEXT)] }).equals(T1_ANNOUNCEMENT)).toBe(true);
    for (const one of packet.decode(goodbye(instance)).answers ?? []) expect(one).toMatchObject({ ttl: 0 });
  });

  test("an answer echoes the question and says what go-micro's says", () => {
    const [asked] = readQuestions(decoded(query("micro.http.broker.micro", 7)), "micro", 16);
    if (asked === undefined) throw new Error("not asked");
    const ours = packet.decode(
      nodeAnswer(asked, "micro.http.broker", "micro", { ...instance, text: [Buffer.from(T1_TEXT)] }),
    );
    expect(ours).toEqual(packet.decode(T1_ANSWER));
    const [listed] = readQuestions(decoded(query("_services.micro", 7)), "micro", 16);
    if (listed === undefined) throw new Error("not asked");
    expect(packet.decode(listAnswer(listed, "micro.http.broker", "micro", "vm"))).toEqual(packet.decode(LIST_ANSWER));
  });

  test("who asks for an answer by unicast gets its id back", () => {
    const bytes = query("orders.micro", 0x1234);
    bytes.writeUInt16BE(0x8001, bytes.length - 2);
    expect(readQuestions(decoded(bytes), "micro", 16)).toMatchObject([{ id: 0x1234, question: { class: "IN" } }]);
  });
});

describe("names", () => {
  test("an id that no DNS name holds is hashed, and another is not", () => {
    expect(instanceName("a.b", "orders", "micro")).toBe("a.b.orders.micro");
    for (const id of ["x".repeat(64), "a..b", ".a", "a.", "a\nb", "\ud800", "x.".repeat(120)]) {
      expect(instanceName(id, "orders", "micro")).toMatch(/^[0-9a-f]{40}\.orders\.micro$/);
    }
  });

  test("a service needs a name that DNS holds", () => {
    expect(["orders", "micro.http.broker", "ünïcode service"].map((name) => isServiceName(name, "micro"))).toEqual([
      true,
      true,
      true,
    ]);
    for (const name of ["", "a..b", "x".repeat(64), "_services", "a\u0000", "y.".repeat(110)])
      expect([name, isServiceName(name, "micro")]).toEqual([name, false]);
  });

  test("end with the suffix, in its case", () => {
    expect(prefixOf("a.b.micro", "micro")).toBe("a.b");
    for (const name of ["micro", ".micro", "a.MICRO", "amicro"]) expect(prefixOf(name, "micro")).toBeUndefined();
  });
});

describe("what is not believed", () => {
  const read = (change: object) => {
    const [instance] = readInstances(decoded(T1_ANSWER), "micro");
    if (instance === undefined) throw new Error("no instance");
    return (fromOwnHost: boolean) => new NodeReader("micro").read({ ...instance, ...change }, fromOwnHost);
  };

  test.each(["127.0.0.1", "127.1.2.3", "::1"])("the loopback address %s of another host", (ip) => {
    expect(read({ ip })(false)).toBeUndefined();
    expect(read({ ip })(true)?.nodes[0]?.address).toBe(ip.includes(":") ? `[${ip}]:4567` : `${ip}:4567`);
  });

  test.each(["localhost:1", "127.0.0.1:1", "[::1]:1", "x.localhost:1"])("nor one as a name, such as %s", (address) => {
    const service = copyService({ ...T1, nodes: [{ ...T1.nodes[0], address }] });
    const text = encodeText(service, service.nodes[0] as (typeof T1.nodes)[0], { id: undefined, address });
    expect(read({ ip: "192.168.1.5", text })(false)?.nodes[0]?.address).toBe("192.168.1.5:4567");
    expect(read({ ip: "192.168.1.5", text })(true)?.nodes[0]?.address).toBe(address);
  });

  test("a text record that inflates beyond a mebibyte", () => {
    const endpoint = { name: "x".repeat(2_000_000), request: null, response: null, metadata: {} };
    const service = copyService({ ...T1, endpoints: [endpoint] });
    const text = encodeText(service, service.nodes[0] as (typeof T1.nodes)[0], { id: undefined, address: undefined });
    expect(Buffer.concat(text).length).toBeLessThan(10_000);
    expect(decodeText(text)).toBeUndefined();
  });

  test.each<[string, Buffer[]]>([
    ["nothing", []],
    ["an odd digit", [Buffer.from(T1_TEXT.slice(1))]],
    ["a wrong sum", [Buffer.from(`${T1_TEXT.slice(0, -2)}00`)]],
    ["no hexadecimal", [Buffer.from("path=/x")]],
  ])("%s in a text record", (_name, text) => {
    expect(decodeText(text)).toBeUndefined();
  });

  test("a name that does not fit its text record", () => {
    expect(read({ name: "t1-uuid.orders.micro" })(true)).toBeUndefined();
    expect(read({ name: "micro.http.broker.micro" })(true)).toBeUndefined();
  });
});
