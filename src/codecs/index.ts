export { bytes } from "./bytes.ts";
export { json } from "./json.ts";
export { text } from "./text.ts";
