import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Granter, Places, Share } from "../../../../src/drivers/http/places.ts";
import { FakeClock } from "../../internal/fake-clock.ts";

/** A sender as the other side of the wire sees it: what it was granted, what it has under way, and whether it answers. */
class FakeSender implements Granter {
  readonly share: Share;
  readonly places: Places;
  /** What it may send. */
  room = 0;
  /** Its messages that have their places, and those that wait for one. */
  held = 0;
  waiting = 0;
  /** How often it was asked to give back, and has not. */
  asked = 0;

  constructor(index: number, places: Places) {
    this.places = places;
    this.share = new Share(index, this);
  }

  grant(_share: Share, count: number): void {
    this.room += count;
  }

  recall(): void {
    this.asked += 1;
  }

  want(): void {
    if (this.room === 0) this.places.want(this.share);
  }

  send(): void {
    if (this.room === 0) return;
    this.room -= 1;
    this.waiting += 1;
    const enter = () => {
      this.waiting -= 1;
      this.held += 1;
    };
    const refuse = () => {
      this.waiting -= 1;
    };
    if (this.places.arrive(this.share)) enter();
    else expect(this.places.arriveLate(this.share, enter, refuse)).toBe(true);
  }

  settle(): void {
    if (this.held === 0) return;
    this.held -= 1;
    if (this.places.settle(this.share, true)) this.room += 1;
  }

  giveBack(): void {
    this.asked = 0;
    const { room } = this;
    this.room = 0;
    this.places.giveBack(this.share, room);
  }
}

function open(count: number, senders: number) {
  const clock = new FakeClock();
  const places = new Places(count, clock);
  return { clock, places, senders: Array.from({ length: senders }, (_one, index) => new FakeSender(index, places)) };
}

describe("places", () => {
  test("all go to the only one who wants any, and come back to it with each message settled", () => {
    const { senders } = open(8, 1);
    const [sender] = senders as [FakeSender];
    sender.want();
    expect(sender.room).toBe(8);
    for (let n = 0; n < 8; n += 1) sender.send();
    expect([sender.room, sender.held]).toEqual([0, 8]);
    sender.settle();
    expect([sender.room, sender.held]).toEqual([1, 7]);
  });

  test("go evenly to those who want some", () => {
    const { senders } = open(8, 2);
    const [first, second] = senders as [FakeSender, FakeSender];
    first.want();
    for (let n = 0; n < 8; n += 1) first.send();
    second.want();
    for (let n = 0; n < 4; n += 1) first.settle();
    expect(second.room + second.held).toBeGreaterThan(0);
    for (let step = 0; step < 100; step += 1) {
      for (const sender of senders) {
        sender.send();
        sender.want();
        if (step % 2 === 0) sender.settle();
      }
    }
    for (const sender of senders) expect(sender.room + sender.held).toBe(4);
  });

  test("that somebody does not use are asked back when another has none, and go to that one", () => {
    const { senders } = open(4, 2);
    const [idle, eager] = senders as [FakeSender, FakeSender];
    idle.want();
    eager.want();
    expect([idle.asked, eager.room]).toEqual([1, 0]);
    idle.giveBack();
    expect(eager.room).toBe(4);
    // The one that was asked keeps its part from now on, so that the places do not go back and forth.
    idle.want();
    eager.giveBack();
    expect([idle.room, eager.room]).toEqual([2, 0]);
    eager.want();
    expect([idle.room, eager.room]).toEqual([2, 2]);
  });

  test("are offered ahead, to each sender its part", () => {
    const { places, senders } = open(5, 3);
    for (const sender of senders) places.offer(sender.share, 3);
    expect(senders.map(({ room }) => room)).toEqual([1, 1, 1]);
    const { places: few, senders: many } = open(2, 3);
    for (const sender of many) few.offer(sender.share, 3);
    expect(many.map(({ room }) => room)).toEqual([1, 1, 0]);
  });

  test("that are not given back in time count as free; messages that come on them wait for a place", () => {
    const { clock, senders } = open(1, 2);
    const [asleep, eager] = senders as [FakeSender, FakeSender];
    asleep.want();
    eager.want();
    clock.advance(249);
    expect(eager.room).toBe(0);
    clock.advance(1);
    expect(eager.room).toBe(1);
    eager.send();
    asleep.send();
    expect([eager.held, asleep.waiting, asleep.held]).toEqual([1, 1, 0]);
    eager.settle();
    expect([asleep.waiting, asleep.held]).toEqual([0, 1]);
  });

  test("are given to messages of this process and to others in turn", () => {
    const { places, senders } = open(1, 1);
    const [sender] = senders as [FakeSender];
    let entered = 0;
    const enter = () => {
      entered += 1;
    };
    places.ask(enter, () => {});
    sender.want();
    places.ask(enter, () => {});
    expect([entered, sender.room]).toEqual([1, 0]);
    places.leave();
    expect([entered, sender.room]).toEqual([1, 1]);
    sender.send();
    sender.settle();
    expect(entered).toBe(2);
  });

  test("of a connection that is lost are free again; its messages keep theirs", () => {
    const { places, senders } = open(2, 2);
    const [first, second] = senders as [FakeSender, FakeSender];
    first.want();
    first.send();
    places.suspend(first.share);
    second.want();
    expect(second.room).toBe(1);
    second.send();
    second.want();
    expect(second.room).toBe(0);
    expect(places.settle(first.share, false)).toBe(false);
    expect(second.room).toBe(1);
  });

  test("that nobody was granted cannot be used", () => {
    const { places, senders } = open(2, 1);
    const [sender] = senders as [FakeSender];
    const nothing = () => {};
    expect(places.arrive(sender.share)).toBe(false);
    expect(places.arriveLate(sender.share, nothing, nothing)).toBe(false);
  });

  test("refuse everybody once closed", () => {
    const { places, senders } = open(1, 1);
    const heard: string[] = [];
    places.ask(
      () => heard.push("in"),
      () => heard.push("refused"),
    );
    places.ask(
      () => heard.push("in"),
      () => heard.push("refused"),
    );
    places.close();
    places.ask(
      () => heard.push("in"),
      () => heard.push("refused"),
    );
    expect(heard).toEqual(["in", "refused", "refused"]);
    senders[0]?.want();
    expect(senders[0]?.room).toBe(0);
  });

  test("are never exceeded, and nobody who wants to send starves", () => {
    const step = fc.tuple(
      fc.constantFrom("want", "send", "settle", "giveBack", "own", "leave", "wait"),
      fc.nat({ max: 2 }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 120 }), (count, steps) => {
        const { clock, places, senders } = open(count, 3);
        let own = 0;
        let askedFor = 0;
        const used = () => own + senders.reduce((sum, { held }) => sum + held, 0);
        for (const [what, which] of steps) {
          const sender = senders[which] as FakeSender;
          if (what === "own") {
            askedFor += 1;
            places.ask(
              () => {
                own += 1;
              },
              () => {},
            );
          } else if (what === "leave") {
            if (own > 0) {
              own -= 1;
              askedFor -= 1;
              places.leave();
            }
          } else if (what === "wait") clock.advance(300);
          else sender[what]();
          expect(used()).toBeLessThanOrEqual(count);
        }
        // Everybody goes on as a peer does; then each can send, and what this process asked for has entered.
        const sent = senders.map(() => 0);
        for (let round = 0; round < 60; round += 1) {
          for (const [index, sender] of senders.entries()) {
            sender.want();
            if (sender.room > 0) sent[index] = (sent[index] ?? 0) + 1;
            sender.send();
            sender.settle();
            if (sender.asked > 0) sender.giveBack();
          }
          if (own > 0) {
            own -= 1;
            askedFor -= 1;
            places.leave();
          }
          clock.advance(10);
          expect(used()).toBeLessThanOrEqual(count);
        }
        expect(askedFor).toBe(own);
        expect(Math.min(...sent)).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});
