/** What the house tests share: the files of the project, and what they import. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Every file under a folder of the project whose name ends as given, as sorted paths from the root with `/`. */
export function filesUnder(folder: string, ending = ""): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter((path) => !path.split("/").includes("node_modules"))
    .sort();
}

/** The text of a file of the project. */
export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The documents that readers have: README.md and everything in docs. */
export function documents(): string[] {
  return ["README.md", ...filesUnder("docs", ".md")];
}

/** The part of package.json that the house tests read. */
export interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** package.json. */
export function manifest(): Manifest {
  return JSON.parse(textOf("package.json")) as Manifest;
}

/** One import of a module: static or dynamic, of values or of types only. */
export interface Import {
  /** The importing file, as a path from the root. */
  readonly from: string;
  /** The imported file as a path from the root, or the name of a package. */
  readonly to: string;
  readonly kind: "value" | "type" | "dynamic";
}

const STATIC =
  /^(import|export)(\s+type)?\b(?:\s*\{[^}]*\}|[^;"'{}]*(?:\{[^}]*\})?[^;"'{}]*?)\s*from\s*["']([^"']+)["']/gm;
const BARE = /^import\s*["']([^"']+)["']/gm;
const DYNAMIC = /\bimport\(\s*["']([^"']+)["']/g;

/** Every import that a source file makes. */
export function importsOf(from: string): Import[] {
  const code = withoutComments(textOf(from));
  const found: Import[] = [];
  const add = (specifier: string, kind: Import["kind"]) => found.push({ from, to: resolve(from, specifier), kind });
  for (const [, , type, specifier] of code.matchAll(STATIC))
    add(specifier ?? "", type === undefined ? "value" : "type");
  for (const [, specifier] of code.matchAll(BARE)) add(specifier ?? "", "value");
  for (const [, specifier] of code.matchAll(DYNAMIC)) add(specifier ?? "", "dynamic");
  return found;
}

/** Source without the comments that have lines of their own; line numbers stay. */
export function withoutComments(code: string): string {
  return code.replace(/^[ \t]*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm, (comment) => comment.replace(/[^\n]/g, ""));
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith(".") ? join(dirname(from), specifier).replaceAll("\\", "/") : specifier;
}
