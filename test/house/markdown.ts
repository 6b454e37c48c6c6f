/** Code blocks of the documents, and the regions of example files that they show. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, textOf } from "./tree.ts";

/** A fenced block of a document. */
export interface Block {
  /** Where it begins, as `file:line`. */
  readonly at: string;
  readonly language: string;
  readonly text: string;
  /** The HTML comment right above the block, without its marks. */
  readonly comment: string | undefined;
}

/** The fenced blocks of a document, in order. */
export function blocksOf(path: string): Block[] {
  const lines = textOf(path).split("\n");
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const language = /^\s*```(\w*)\s*$/.exec(lines[index] ?? "")?.[1];
    if (language === undefined) continue;
    const end = lines.findIndex((line, later) => later > index && /^\s*```\s*$/.test(line));
    if (end === -1) throw new Error(`${path}:${index + 1}: the block has no end`);
    blocks.push({
      at: `${path}:${index + 1}`,
      language,
      text: dedent(lines.slice(index + 1, end)),
      comment: /^\s*<!--\s*(.*?)\s*-->\s*$/.exec(lines[index - 1] ?? "")?.[1],
    });
    index = end;
  }
  return blocks;
}

/** An example that a document shows: a file under examples, or a region of it. */
export interface Example {
  readonly path: string;
  readonly region: string | undefined;
}

/** The example that a comment names (`example: path#region`), or `undefined` where it names none. */
export function exampleOf(comment: string | undefined): Example | undefined {
  const match = /^example: ([^#\s]+)(?:#(\S+))?$/.exec(comment ?? "");
  return match === null ? undefined : { path: match[1] ?? "", region: match[2] };
}

/** The text of an example, without region marks, moved to the left margin. */
export function exampleText({ path, region }: Example): string {
  if (!/^examples\/[\w/-]+\.ts$/.test(path) || !existsSync(join(ROOT, path))) {
    throw new Error(`${path} is not a file under examples`);
  }
  const lines = textOf(path).trimEnd().split("\n");
  if (region === undefined) return dedent(lines.filter((line) => !isMark(line)));
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`);
  const end = lines.findIndex((line, index) => index > start && line.trim() === "// #endregion");
  if (start === -1 || end === -1) throw new Error(`${path} has no region ${region}`);
  return dedent(lines.slice(start + 1, end));
}

/** The anchors that the headings of a document make, as GitHub makes them. */
export function anchorsOf(path: string): string[] {
  const prose = textOf(path).replace(/^\s*```[\s\S]*?^\s*```/gm, "");
  return [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}

/** The relative links of a document: target file (or "" for itself) and anchor. */
export function linksOf(path: string): { readonly target: string; readonly anchor: string | undefined }[] {
  const prose = textOf(path).replace(/^\s*```[\s\S]*?^\s*```/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => ({ target: link.split("#")[0] ?? "", anchor: link.split("#")[1] }));
}

function isMark(line: string): boolean {
  return /^\s*\/\/ #(region \S+|endregion)$/.test(line);
}

function dedent(lines: readonly string[]): string {
  const margins = lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length);
  const margin = Math.min(...margins, Number.POSITIVE_INFINITY);
  return lines
    .map((line) => line.slice(Math.min(margin, line.length)))
    .join("\n")
    .trim();
}
