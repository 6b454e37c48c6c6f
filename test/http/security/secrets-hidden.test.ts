import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { createBroker } from "../../../src/create-broker.ts";
import { http } from "../../../src/drivers/http/index.ts";
import { memory } from "../../../src/registries/memory.ts";
import { exchange, listener, strangers } from "./pair.ts";

const secret = "correct-horse-battery-staple";

afterEach(() => {
  delete process.env["TIDINGS_SECRET"];
  delete process.env["TIDINGS_SECRET_FILE"];
});

async function secretFile(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tidings-secret-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "secret"), content);
  return join(folder, "secret");
}

test("a secret comes from the environment, from a file that the environment names, or from code", async () => {
  const registry = memory();
  const fromCode = await listener(registry, { secret });
  process.env["TIDINGS_SECRET"] = secret;
  const fromVariable = await listener(registry);
  delete process.env["TIDINGS_SECRET"];
  process.env["TIDINGS_SECRET_FILE"] = await secretFile(`${secret}\n`);
  const fromFile = await listener(registry);
  await exchange(fromCode, fromVariable);
  await exchange(fromVariable, fromFile);
});

test("what the code says wins over the environment", async () => {
  const registry = memory();
  process.env["TIDINGS_SECRET"] = "another secret of more than sixteen bytes";
  await exchange(await listener(registry, { secret }), await listener(registry, {}, { secret }));
});

test.each<[string, Record<string, string>, RegExp]>([
  ["both", { TIDINGS_SECRET: secret, TIDINGS_SECRET_FILE: "/nowhere" }, /both set/],
  ["a file that is not there", { TIDINGS_SECRET_FILE: `/nowhere/${secret}` }, /cannot be read \(ENOENT\)/],
])("an environment with %s is refused, and shows nothing", async (_name, variables, message) => {
  Object.assign(process.env, variables);
  await expect(createBroker(http({ registry: memory() })).connect()).rejects.toMatchObject({
    code: "ERR_INVALID_OPTION",
    message: expect.stringMatching(message),
  });
  const error: unknown = await createBroker(http({ registry: memory() }))
    .connect()
    .catch((reason: unknown) => reason);
  expect(inspect(error, { depth: 9 })).not.toContain(secret);
});

test("it stands in no option, error, warning, record or address that is shown", async () => {
  const registry = memory();
  const one = await listener(registry, { address: "0.0.0.0:0", secret, wire: "go-micro" });
  const other = await listener(registry, { secret: `${secret}!` });
  await strangers(one, other);
  for (const { broker, errors, warnings } of [one, other]) {
    const shown = inspect([broker, broker.options, broker.address, broker.lastError, errors, warnings], {
      depth: 12,
      showHidden: false,
    });
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain(Buffer.from(secret).toString("hex"));
  }
  expect(JSON.stringify(await registry.listServices())).not.toContain(secret);
  expect(process.argv.join(" ")).not.toContain(secret);
});

test.each([
  `http://:${secret}@127.0.0.1:0`,
  `http://user:${secret}@127.0.0.1:99999`,
  `http://127.0.0.1:0/?secret=${secret}`,
  `http://127.0.0.1:99999/?secret=${secret}`,
  `http://127.0.0.1:0/#${secret}`,
])("a URL has no place for it: %#", async (url) => {
  const error: unknown = await createBroker(url)
    .connect()
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "ERR_INVALID_OPTION" });
  expect(inspect(error, { depth: 9 })).not.toContain(secret);
});

test.each([12345, "", new Uint8Array(0), { text: "correct" }, ["c"]])("%j is no secret, and is not shown", (wrong) => {
  const attempts = [() => http({ secret: wrong as never }), () => createBroker("http", { secret: wrong as never })];
  for (const attempt of attempts)
    expect(attempt).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_OPTION",
        message: expect.stringMatching(/^(?!.*(12345|correct)).*secret/),
      }),
    );
});
