import { create } from "@bufbuild/protobuf";
import { BytesValueSchema, type StringValue, StringValueSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { protobuf, protobufJson } from "../../../src/codecs/protobuf.ts";
import { createBroker } from "../../../src/create-broker.ts";
import { memory } from "../../../src/drivers/memory/index.ts";
import { Service } from "../../../src/service/service.ts";
import { until } from "../../../src/testing/conformance/until.ts";

const text = protobuf(StringValueSchema);
const textOf = (value: string) => create(StringValueSchema, { value });

describe("protobuf", () => {
  test("writes a bare message, labelled as every go-micro server reads it", () => {
    expect(text.contentType).toBe("application/protobuf");
    expect(Buffer.from(text.encode(textOf("ü")) as Uint8Array).toString("hex")).toBe("0a02c3bc");
  });

  test("reads it with gRPC's prefix and without", () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (value, prefix) => {
        const bytes = protobuf(StringValueSchema, { prefix }).encode(textOf(value)) as Uint8Array;
        expect(bytes.byteLength - (text.encode(textOf(value)) as Uint8Array).byteLength).toBe(prefix ? 5 : 0);
        expect((text.decode(bytes) as StringValue).value).toBe(value);
      }),
    );
  });

  test("refuses what is no message of its type, and bytes that are none", () => {
    expect(() => text.encode({ value: "x" })).toThrow("the codec takes a message of type google.protobuf.StringValue");
    expect(() => text.encode(create(BytesValueSchema, {}))).toThrow("google.protobuf.StringValue");
    expect(() => text.decode(Buffer.from([0, 0, 0, 0, 9, 1]))).toThrow();
    expect(() => text.decode(Buffer.from([0x0a, 0xff]))).toThrow();
  });

  test("as JSON is protobuf's own mapping, and ends with a line break where Go wrote it", () => {
    const time = protobufJson(TimestampSchema);
    expect(time.encode(create(TimestampSchema, { seconds: 0n }))).toBe('"1970-01-01T00:00:00Z"');
    const read = time.decode(Buffer.from('"1970-01-01T00:00:01Z"\n'));
    expect(read).toMatchObject({ seconds: 1n });
  });
});

describe("a service", () => {
  test.each(["application/protobuf", "application/grpc+proto", "application/grpc; v=1", "Application/Proto"])(
    "reads protobuf labelled %s, with the codec of its subscription",
    async (contentType) => {
      const broker = createBroker(memory());
      const service = new Service({ name: "texts", broker });
      const heard: unknown[] = [];
      service.subscribe("texts", (payload: StringValue) => void heard.push(payload.value), { codecs: [text] });
      service.subscribe("bytes", (payload) => void heard.push([...payload.value]), {
        codecs: [protobuf(BytesValueSchema)],
      });
      await service.start();
      await broker.publish("texts", { header: { "Content-Type": contentType }, body: text.encode(textOf("one")) });
      await service
        .publisher("bytes", { codec: protobuf(BytesValueSchema) })
        .publish(create(BytesValueSchema, { value: Buffer.from([0, 255]) }));
      await until(() => heard.length === 2, { what: "both were handled" });
      expect(heard).toEqual(["one", [0, 255]]);
      await service.stop();
    },
  );

  test("without the codec makes it a dead letter, with the types that it has", async () => {
    const broker = createBroker(memory());
    const service = new Service({ name: "texts", broker });
    service.subscribe("texts", () => {});
    await service.start();
    await broker.publish("texts", { header: { "Content-Type": "application/protobuf" }, body: "x" });
    const letters = await until(
      async () => {
        const found = await broker.deadLetters.list("texts");
        return found.length > 0 ? found : undefined;
      },
      { what: "it was dead-lettered" },
    );
    expect(letters[0]?.reason).toContain('No codec for the content type "application/protobuf"');
    await service.stop().catch(() => {});
  });
});
