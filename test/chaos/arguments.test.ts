import { describe, expect, test } from "vitest";
import { readArguments, USAGE } from "../../chaos/arguments.ts";

describe("the flags of chaos", () => {
  test("have defaults, and trouble in proportion to the time", () => {
    expect(readArguments([], 5)).toMatchObject({
      broker: "http",
      seconds: 60,
      seed: 5,
      kills: 30,
      pauses: 15,
      cuts: 15,
    });
    expect(readArguments(["--seconds", "10"], 5)).toMatchObject({ kills: 5, pauses: 3, cuts: 3 });
  });

  test("are all in the help text", () => {
    expect(readArguments(["--help"], 1)).toBe("help");
    const given = readArguments(
      "--broker nats --broker-address h:1 --seconds 9 --seed 7 --publishers 3 --members 4 --queues 5 --broadcast 6 --rate 8 --kills 1 --pauses 0 --cuts 2 --spare publishers,engine --storage --drain-seconds 11 --journals f --json".split(
        " ",
      ),
      1,
    );
    expect(given).toEqual({
      broker: "nats",
      address: "h:1",
      seconds: 9,
      seed: 7,
      publishers: 3,
      members: 4,
      queues: 5,
      broadcast: 6,
      rate: 8,
      kills: 1,
      pauses: 0,
      cuts: 2,
      spare: ["publishers", "engine"],
      storage: true,
      drainSeconds: 11,
      journals: "f",
      json: true,
    });
    const flags = [...USAGE.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map((match) => match[1]);
    expect(flags).toHaveLength(Object.keys(given).length + 1);
  });

  test.each([
    [["--seconds", "0"], "--seconds takes a whole number from 1 to 86400"],
    [["--kills", "-1"], "--kills"],
    [["--rate", "1.5"], "--rate takes a whole number"],
    [["--members", "0", "--broadcast", "0"], "there is nobody to receive"],
    [["--spare", "cats"], "--spare takes publishers, members, broadcast, engine"],
    [["--unknown"], "--unknown"],
    [["word"], "word"],
  ])("%j is wrong usage", (args, words) => {
    expect(() => readArguments(args, 1)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTION", message: expect.stringContaining(words) }),
    );
  });
});
