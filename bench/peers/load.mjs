// What the bench compares with is not part of the project, and installed by hand.

/** Loads a package of this folder. */
export async function load(name) {
  try {
    return (await import(name)).default;
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(`${name} is not installed: run npm install in bench/peers`);
  }
}
