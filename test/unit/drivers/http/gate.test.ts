import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Gate, type Ticket } from "../../../../src/drivers/http/gate.ts";

function visitors(gate: Gate) {
  const heard: string[] = [];
  const ask = (name: string): Ticket =>
    gate.ask(
      () => heard.push(`${name} in`),
      () => heard.push(`${name} refused`),
    );
  return { heard, ask };
}

describe("a gate", () => {
  test("lets in as many as there are places, and the rest in order", () => {
    const gate = new Gate(2);
    const { heard, ask } = visitors(gate);
    for (const name of ["a", "b", "c", "d"]) ask(name);
    expect(heard).toEqual(["a in", "b in"]);
    gate.leave();
    gate.leave();
    expect(heard).toEqual(["a in", "b in", "c in", "d in"]);
  });

  test("passes over who stopped waiting; cancelling later changes nothing", () => {
    const gate = new Gate(1);
    const { heard, ask } = visitors(gate);
    const first = ask("a");
    const second = ask("b");
    ask("c");
    second.cancel();
    first.cancel();
    gate.leave();
    expect(heard).toEqual(["a in", "c in"]);
    gate.leave();
    ask("d");
    expect(heard.at(-1)).toBe("d in");
  });

  test("refuses who waits when it closes, and who comes then, each once", () => {
    const gate = new Gate(1);
    const { heard, ask } = visitors(gate);
    ask("a");
    ask("b").cancel();
    ask("c");
    gate.close();
    ask("d");
    gate.leave();
    gate.close();
    expect(heard).toEqual(["a in", "c refused", "d refused"]);
  });

  test("may be left, asked and closed by whoever it lets in", () => {
    const gate = new Gate(1);
    const order: string[] = [];
    gate.ask(
      () => order.push("first"),
      () => {},
    );
    for (let n = 0; n < 3; n += 1)
      gate.ask(
        () => {
          order.push(String(n));
          gate.leave();
        },
        () => order.push(`${n} refused`),
      );
    gate.ask(
      () => {
        order.push("closes");
        gate.close();
      },
      () => {},
    );
    gate.ask(
      () => order.push("late"),
      () => order.push("refused"),
    );
    gate.leave();
    expect(order).toEqual(["first", "0", "1", "2", "closes", "refused"]);
  });

  test("never lets in more than it has places for, and forgets nobody", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.constantFrom("ask", "leave", "cancel"), { maxLength: 100 }),
        (places, steps) => {
          const gate = new Gate(places);
          const inside: number[] = [];
          const tickets: { ticket: Ticket; id: number }[] = [];
          const entered: number[] = [];
          const cancelled = new Set<number>();
          let taken = 0;
          for (const [id, step] of steps.entries()) {
            if (step === "ask") {
              const ticket = gate.ask(
                () => {
                  taken += 1;
                  inside.push(id);
                  entered.push(id);
                },
                () => {},
              );
              tickets.push({ ticket, id });
            } else if (step === "leave" && inside.length > 0) {
              inside.pop();
              taken -= 1;
              gate.leave();
            } else if (step === "cancel") {
              const last = tickets.at(-1);
              if (last !== undefined && !entered.includes(last.id)) cancelled.add(last.id);
              last?.ticket.cancel();
            }
            expect(taken).toBeLessThanOrEqual(places);
          }
          for (let left = steps.length; taken > 0 && left > 0; left -= 1) {
            taken -= 1;
            gate.leave();
          }
          expect(entered).toEqual(tickets.map(({ id }) => id).filter((id) => !cancelled.has(id)));
        },
      ),
    );
  });
});
