// What the bench compares with is not part of the project, and installed by hand.

/** Loads what a package of this folder exports by default. */
export async function load(name) {
  const [{ default: main }] = await loadAll(name);
  return main;
}

/** Loads packages of this folder, one after the other, with everything that they export. */
export async function loadAll(...names) {
  const loaded = [];
  for (const name of names) {
    try {
      loaded.push(await import(name));
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
      throw new Error(`${name} is not installed: run npm install in bench/peers`);
    }
  }
  return loaded;
}
