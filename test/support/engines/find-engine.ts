import process from "node:process";
import { describe } from "vitest";
import { type EngineName, type EngineSearch, missingEngine, mustHaveEngines } from "./engine-programs.ts";

export { type EngineName, engineProgramPath, engineUrl, missingEngine } from "./engine-programs.ts";

/**
 * `describe` for tests that need an engine: without it they are skipped, and the title says why and how to get it. Where
 * engines must be there, as in CI, a missing one is a failure.
 */
export function describeWithEngine(name: EngineName, title: string, define: () => void, search?: EngineSearch): void {
  const missing = missingEngine(name, search);
  if (missing !== undefined && mustHaveEngines(search?.env ?? process.env)) throw new Error(missing);
  describe.skipIf(missing !== undefined)(missing === undefined ? title : `${title} (not run: ${missing})`, define);
}
