// Publishers, what they send, and codecs.
import { bytes, type Codec, createService } from "tidings";

// #region codec
const csv: Codec = {
  contentType: "text/csv",
  encode: (row) => (row as unknown[]).join(","),
  decode: (body) => Buffer.from(body).toString("utf8").split(","),
};
// #endregion

// #region codecs
const service = createService({ name: "reports", broker: "memory:", codecs: [csv] });
const rows = service.publisher<string[]>("reports.row", { codec: csv });
const files = service.publisher<Uint8Array>("reports.file", { codec: bytes });
// #endregion

service.subscribe("reports.row", (row: string[], { header }) => console.log(header["Content-Type"], row));
service.subscribe("reports.file", (file: Uint8Array, { header }) => {
  console.log(header["Content-Type"], `${file.length} bytes`);
});
service.subscribe("reports.ready", (_payload, { header, key }) =>
  console.log(header["Micro-Topic"], header["zone"], key),
);

await service.start();

// #region publish
const ready = service.publisher<{ id: number }>("reports.ready");
const { id, state } = await ready.publish({ id: 7 }, { key: "customer-3", header: { zone: "a" } });
console.log(id.length, state);
// #endregion
await service.broker.flush();
await rows.publish(["7", "9.5"]);
await files.publish(Uint8Array.of(1, 2, 3));

await service.stop();
