import process from "node:process";

/** The engines that tests start. */
export type EngineName = "nats" | "rabbitmq";

/** What `scripts/engines.mjs`, which looks for engines before the tests run, knows of one. */
interface EngineSource {
  readonly program: string;
  readonly variable: string;
}

const { ENGINES, findProgram, howToGet, ...engines } = (await import(
  new URL("../../../scripts/engines.mjs", import.meta.url).href
)) as {
  readonly ENGINES: Readonly<Record<EngineName, EngineSource>>;
  findProgram(name: string, env: NodeJS.ProcessEnv): string | undefined;
  howToGet(engine: EngineSource): string;
  mustHaveEngines(env: NodeJS.ProcessEnv): boolean;
};

/** How to look for an engine. */
export interface EngineSearch {
  /** Only a program will do: the tests restart, pause or configure their engine. Default false. */
  readonly own?: boolean;
  /** Default the process's. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The URL of a server that somebody runs for the tests, from the engine's variable; `undefined`: start a private one. */
export function engineUrl(name: EngineName, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env[ENGINES[name].variable] || undefined;
}

/** Why tests that need an engine cannot run, with how to get it, or `undefined`: they can. */
export function missingEngine(
  name: EngineName,
  { own = false, env = process.env }: EngineSearch = {},
): string | undefined {
  const engine = ENGINES[name];
  if (findProgram(engine.program, env) !== undefined) return undefined;
  if (!own && engineUrl(name, env) !== undefined) return undefined;
  return `no ${engine.program} on the PATH; to get it: ${howToGet(engine)}`;
}

/** The program that private engines are started from. @throws with how to get it when it is not installed. */
export function engineProgramPath(name: EngineName): string {
  const program = findProgram(ENGINES[name].program, process.env);
  if (program === undefined) throw new Error(missingEngine(name, { own: true }));
  return program;
}

/** Whether a missing engine is a failure: it was to be installed. */
export function mustHaveEngines(env: NodeJS.ProcessEnv = process.env): boolean {
  return engines.mustHaveEngines(env);
}
