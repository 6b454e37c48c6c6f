/** protobuf's StringValue with the codec that programs use. */
export async function protobufCodec() {
  const { protobuf } = await import("../dist/codecs/protobuf.js");
  const { create } = await import("@bufbuild/protobuf");
  const { StringValueSchema } = await import("@bufbuild/protobuf/wkt");
  return { ...protobuf(StringValueSchema), create: (fields) => create(StringValueSchema, fields) };
}
