import { expect, test } from "vitest";
import { textOf } from "./tree.ts";

const HEADINGS = ["Mapping", "Delivery semantics", "Capabilities", "URL and options", "Escape hatch"];

test.each(["memory", "http", "nats", "rabbitmq"])(
  "docs/%s.md has the headings of every driver's page, in order",
  (name) => {
    const headings = [...textOf(`docs/${name}.md`).matchAll(/^## (.+)$/gm)].map(([, heading = ""]) => heading);
    expect(headings.slice(0, HEADINGS.length)).toEqual(HEADINGS);
  },
);
