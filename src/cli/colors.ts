import picocolors from "picocolors";
import type { Environment } from "../service/settings/setting.ts";
import type { Output } from "./terminal.ts";

/** Functions that colour text, or leave it as it is. */
export type Colors = ReturnType<typeof picocolors.createColors>;

/** The colours for a stream: none where it is no terminal, and none with `NO_COLOR`. */
export function colorsFor(stream: Output, env: Environment): Colors {
  return picocolors.createColors(stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb");
}
