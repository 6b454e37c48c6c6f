import type { Driver } from "../../../src/driver.ts";
import type { Header } from "../../../src/message.ts";
import { wrapDriver, wrapPublication, wrapRequest } from "../../../src/testing/index.ts";
import { type BrokenDriver, onDeliver, onPublish } from "./broken-driver.ts";

const LARGE =
  "C large bodies that are on their way at once arrive as they were sent, from a buffer that was used for each";

/** Drivers that change what they carry. */
export const brokenPayload: readonly BrokenDriver[] = [
  {
    does: "loses headers with odd names",
    caughtBy: "C weird header names arrive as they were sent",
    saying: /deep-equal/,
    wrap: (driver) => onHeaders(driver, ([name, value]) => (/^[\w-]+$/.test(name) ? [[name, value]] : [])),
  },
  {
    does: "loses the header __proto__",
    caughtBy: "C header names that mean something elsewhere are names like any other",
    saying: /value of __proto__/,
    wrap: (driver) => onHeaders(driver, ([name, value]) => (name === "__proto__" ? [] : [[name, value]])),
  },
  {
    does: "trims header values",
    caughtBy: "C weird header values arrive as they were sent",
    saying: /deep-equal/,
    wrap: (driver) => onHeaders(driver, ([name, value]) => [[name, value.trim()]]),
  },
  {
    does: "loses headers with empty values",
    caughtBy: "C an empty header value is not a missing one",
    saying: /x-empty/,
    wrap: (driver) => onHeaders(driver, ([name, value]) => (value === "" ? [] : [[name, value]])),
  },
  {
    does: "writes header names in lower case",
    caughtBy: "C header names that differ in case are two",
    saying: /X-Case/,
    wrap: (driver) => onHeaders(driver, ([name, value]) => [[name.toLowerCase(), value]]),
  },
  {
    does: "adds a header of its own",
    caughtBy: "C no header arrives as no header",
    saying: /via/,
    wrap: (driver) =>
      onDeliver(driver, ({ header }) => ({ header: Object.assign(Object.create(null), header, { via: "us" }) })),
  },
  {
    does: "gives header maps a prototype",
    caughtBy: "C header names that mean something elsewhere are names like any other",
    saying: /a header map has a prototype/,
    wrap: (driver) => onDeliver(driver, ({ header }) => ({ header: { ...header } })),
  },
  {
    does: "takes bodies for UTF-8",
    caughtBy: "C every byte arrives as it was sent",
    saying: /body 0 arrived changed/,
    wrap: (driver) => onDeliver(driver, ({ body }) => ({ body: Buffer.from(Buffer.from(body).toString("utf8")) })),
  },
  {
    does: "gives handlers the bytes that it keeps",
    caughtBy: "C a large body that handlers change is whole for others, at the next attempt, and as a dead letter",
    saying: /a handler got what another had changed/,
    wrap: (driver) => onDeliver(driver, ({ body }) => ({ ownBody: () => body })),
  },
  {
    does: "gives back bodies that it keeps",
    caughtBy: LARGE,
    saying: /arrived changed/,
    wrap: (driver) =>
      onPublish(driver, (publication) =>
        wrapPublication(publication, {
          confirm(state) {
            publication.confirm(state);
            publication.giveBackBody?.();
          },
        }),
      ),
  },
  {
    does: "cuts bodies at 64 KiB",
    caughtBy: "C a body of 1 MiB, or the most the engine carries, arrives",
    saying: /the body arrived changed/,
    wrap: (driver) => onDeliver(driver, ({ body }) => ({ body: body.subarray(0, 65_536) })),
  },
  {
    does: "reads an empty body as null",
    caughtBy: "C no body, an empty body and an empty string arrive as no bytes",
    saying: /4 !== 0/,
    wrap: (driver) => onDeliver(driver, ({ body }) => ({ body: body.byteLength === 0 ? Buffer.from("null") : body })),
  },
  {
    does: "takes capital letters in topics for small ones",
    caughtBy: "C reserved characters in topics map one-to-one",
    saying: /Plain/,
    wrap: (driver) =>
      wrapDriver(
        onPublish(driver, (publication) => wrapPublication(publication, { topic: publication.topic.toLowerCase() })),
        {
          subscribe: (request) => driver.subscribe(wrapRequest(request, { pattern: request.pattern.toLowerCase() })),
        },
      ),
  },
  {
    does: "replaces what it cannot write in queue names",
    caughtBy: "C reserved characters in queue names map one-to-one",
    saying: /until 1 messages were seen: 0/,
    wrap: (driver) =>
      wrapDriver(driver, {
        subscribe: (request) =>
          driver.subscribe(wrapRequest(request, { queue: request.queue?.replaceAll(/[^\w-]/g, "_") })),
      }),
  },
];

function onHeaders(driver: Driver, change: (entry: [string, string]) => [string, string][]): Driver {
  return onDeliver(driver, ({ header }) => {
    const changed: Record<string, string> = Object.create(null);
    for (const [name, value] of Object.entries(header).flatMap(change)) changed[name] = value;
    return { header: changed as Header };
  });
}
