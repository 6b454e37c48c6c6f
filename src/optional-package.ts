import { BrokerError } from "./errors.ts";

/** A package that only those install who need it. */
export interface OptionalPackage {
  readonly name: string;
  /** The versions that are tested, as npm writes them. */
  readonly range: string;
  /** What needs it, as the beginning of a sentence: `"The RabbitMQ broker"`. */
  readonly neededBy: string;
  readonly driver?: string;
}

/**
 * Loads an optional package.
 * @throws BrokerError `ERR_MISSING_DEPENDENCY` where it is not installed, with the command that installs it. What a package that is
 * broken throws passes through.
 */
export async function loadOptional<Module>(wanted: OptionalPackage, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    if (!/MODULE_NOT_FOUND$/.test(String((cause as { code?: unknown }).code))) throw cause;
    const { name, range, neededBy, driver } = wanted;
    const command = `npm install "${name}@${range}"`;
    const message = `${neededBy} needs the package ${name} (${range}). Install it with: ${command}`;
    throw new BrokerError("ERR_MISSING_DEPENDENCY", message, { driver, cause });
  }
}
