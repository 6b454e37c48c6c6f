import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Agenda } from "../../../src/internal/agenda.ts";
import { Bag, type Bagged } from "../../../src/internal/bag.ts";
import { shortLivedCopyOf } from "../../../src/internal/copies.ts";
import { DeadlineList, type Timed } from "../../../src/internal/deadline-list.ts";
import { Deque } from "../../../src/internal/deque.ts";
import { NumberedItems } from "../../../src/internal/numbered-items.ts";
import { FakeClock } from "./fake-clock.ts";

describe("Deque", () => {
  test("behaves as an array does", () => {
    const step = fc.oneof(
      fc.record({ call: fc.constant("push"), item: fc.integer() }),
      fc.record({ call: fc.constant("unshift"), item: fc.integer() }),
      fc.record({ call: fc.constant("shift"), item: fc.constant(0) }),
      fc.record({ call: fc.constant("remove"), item: fc.integer({ min: 2, max: 5 }) }),
      fc.record({ call: fc.constant("drain"), item: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const deque = new Deque<number>();
        let model: number[] = [];
        for (const { call, item } of steps) {
          if (call === "push") {
            deque.push(item);
            model.push(item);
          } else if (call === "unshift") {
            deque.unshift(item);
            model.unshift(item);
          } else if (call === "shift") expect(deque.shift()).toBe(model.shift());
          else if (call === "drain") {
            expect(deque.drain()).toEqual(model);
            model = [];
          } else {
            const matches = (value: number) => value % item === 0;
            expect(deque.remove(matches)).toEqual(model.filter(matches));
            model = model.filter((value) => !matches(value));
          }
          expect([...deque]).toEqual(model);
          expect(deque.size).toBe(model.length);
          expect(deque.peek()).toBe(model[0]);
        }
      }),
    );
  });
});

describe("Bag", () => {
  test("behaves as a set does, in any order, and every item knows its place", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(12), { maxLength: 120 }), (names) => {
        const items = Array.from({ length: 13 }, (_, name): Bagged & { readonly name: number } => ({
          name,
          place: -1,
        }));
        const bag = new Bag<Bagged>();
        const model = new Set<Bagged>();
        for (const name of names) {
          const item = items[name] as Bagged;
          if (model.delete(item)) {
            bag.delete(item);
            expect(item).toEqual({ name, place: -1 });
          } else {
            bag.add(item);
            model.add(item);
          }
          expect(new Set(bag)).toEqual(model);
          expect(bag.size).toBe(model.size);
          expect(Array.from(bag, ({ place }) => place)).toEqual(
            Array.from({ length: model.size }, (_, place) => place),
          );
        }
      }),
    );
  });
});

describe("shortLivedCopyOf", () => {
  test("no two copies share bytes, whatever their sizes, and none shares those of its original", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6_000), { maxLength: 40 }), (sizes) => {
        const originals = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
        const copies = originals.map((original) => shortLivedCopyOf(original));
        for (const original of originals) original.fill(0);
        for (const [index, copy] of copies.entries()) {
          expect(copy).toEqual(Buffer.alloc(sizes[index] as number, index + 1));
          copy.fill(0);
        }
      }),
    );
  });
});

describe("NumberedItems", () => {
  test("behaves as a map does", () => {
    const step = fc.oneof(
      fc.record({ call: fc.constant("add"), count: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ call: fc.constant("delete oldest"), count: fc.integer({ min: 1, max: 900 }) }),
      fc.record({ call: fc.constant("delete newest"), count: fc.integer({ min: 1, max: 900 }) }),
      fc.record({ call: fc.constant("set again"), count: fc.nat(3_000) }),
      fc.record({ call: fc.constant("delete"), count: fc.nat(3_000) }),
    );
    fc.assert(
      fc.property(fc.nat(2_000), fc.array(step, { maxLength: 30 }), (start, steps) => {
        const items = new NumberedItems<string>();
        const model = new Map<number, string>();
        let next = start;
        const remove = (numbers: readonly number[]) => {
          for (const number of numbers) {
            items.delete(number);
            model.delete(number);
          }
        };
        for (const { call, count } of steps) {
          if (call === "add")
            for (let left = count; left > 0; left -= 1) {
              items.set(next, `item ${next}`);
              model.set(next, `item ${next}`);
              next += 1;
            }
          else if (call === "delete oldest") remove([...model.keys()].slice(0, count));
          else if (call === "delete newest") remove([...model.keys()].slice(-count));
          else if (call === "delete") remove([count]);
          else {
            items.set(count, `again ${count}`);
            model.set(count, `again ${count}`);
          }
          expect(items.size).toBe(model.size);
          expect(new Map(items)).toEqual(model);
          for (const number of [...model.keys(), start, next, next - 1, count])
            expect(items.get(number)).toBe(model.get(number));
        }
      }),
      { numRuns: 50 },
    );
  });

  test("gives the numbers in the order in which they came, where each came once", () => {
    const items = new NumberedItems<number>();
    for (let number = 1; number <= 2_000; number += 1) items.set(number, number);
    const seen: number[] = [];
    for (const [number] of items) {
      items.delete(number);
      seen.push(number);
    }
    expect(seen).toEqual(Array.from({ length: 2_000 }, (_, index) => index + 1));
    expect(items.size).toBe(0);
  });
});

describe("Agenda", () => {
  test("runs everything that was not cancelled, in order of time, never early", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ inMs: fc.nat(100), cancel: fc.boolean() }), { maxLength: 60 }), (items) => {
        const clock = new FakeClock();
        const agenda = new Agenda(clock);
        const start = clock.now();
        const ran: number[] = [];
        const appointments = items.map(({ inMs }, index) =>
          agenda.at(start + inMs, () => {
            expect(clock.now()).toBeGreaterThanOrEqual(start + inMs);
            ran.push(index);
          }),
        );
        for (const [index, { cancel }] of items.entries()) {
          const appointment = appointments[index];
          if (cancel && appointment !== undefined) agenda.cancel(appointment);
        }
        for (let ms = 0; ms < 101; ms += 7) clock.advance(7);
        const expected = items
          .map(({ inMs, cancel }, index) => ({ inMs, cancel, index }))
          .filter(({ cancel }) => !cancel)
          .sort((a, b) => a.inMs - b.inMs || a.index - b.index)
          .map(({ index }) => index);
        expect(ran).toEqual(expected);
        expect(clock.timers).toBe(0);
      }),
    );
  });

  test("an appointment may make another, and clear forgets all", () => {
    const clock = new FakeClock();
    const agenda = new Agenda(clock);
    const ran: string[] = [];
    agenda.at(clock.now() + 5, () => {
      ran.push("first");
      agenda.at(clock.now() + 5, () => ran.push("second"));
    });
    clock.advance(10);
    expect(ran).toEqual(["first", "second"]);
    agenda.at(clock.now() + 5, () => ran.push("never"));
    agenda.clear();
    clock.advance(10);
    expect(ran).toEqual(["first", "second"]);
    expect(clock.timers).toBe(0);
  });
});

class Item implements Timed {
  deadlineAt = 0;
  previousTimed: Timed | undefined;
  nextTimed: Timed | undefined;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

describe("DeadlineList", () => {
  test("expires what is still in it, in order, never early", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ inMs: fc.integer({ min: 1, max: 50 }), remove: fc.boolean() }), { maxLength: 40 }),
        (items) => {
          const clock = new FakeClock();
          const expired: number[] = [];
          const list = new DeadlineList<Item>(clock, (item) => {
            expect(clock.now()).toBeGreaterThanOrEqual(item.deadlineAt);
            expired.push(item.name);
          });
          const start = clock.now();
          const all = items.map(({ inMs }, index) => {
            const item = new Item(index);
            list.add(item, start + inMs);
            return item;
          });
          for (const [index, { remove }] of items.entries()) {
            const item = all[index];
            if (remove && item !== undefined) {
              list.remove(item);
              list.remove(item);
            }
          }
          clock.advance(60);
          const expected = items
            .map(({ inMs, remove }, index) => ({ inMs, remove, index }))
            .filter(({ remove }) => !remove)
            .sort((a, b) => a.inMs - b.inMs || a.index - b.index)
            .map(({ index }) => index);
          expect(expired).toEqual(expected);
          expect(clock.timers).toBe(0);
        },
      ),
    );
  });

  test("an item whose deadline is before that of one that has left expires in time", () => {
    const clock = new FakeClock();
    const expired: number[] = [];
    const list = new DeadlineList<Item>(clock, (item) => expired.push(item.name));
    const [left, early] = [new Item(1), new Item(2)];
    list.add(left, clock.now() + 2_000);
    list.remove(left);
    list.add(early, clock.now() + 50);
    clock.advance(50);
    expect([expired, clock.timers]).toEqual([[2], 0]);
  });

  test("rest and clear stop the timer", () => {
    const clock = new FakeClock();
    const list = new DeadlineList<Item>(clock, () => expect.unreachable("a cleared item expired"));
    const item = new Item(1);
    list.add(item, clock.now() + 10);
    list.rest();
    expect(clock.timers).toBe(1);
    list.remove(item);
    list.rest();
    expect(clock.timers).toBe(0);
    list.add(item, clock.now() + 10);
    list.clear();
    expect(clock.timers).toBe(0);
    clock.advance(20);
  });
});
