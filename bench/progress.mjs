// How far the bench is: a bar on a terminal, and a line for each step where there is none.
import { Progress } from "../dist/cli/progress.js";

const BAR_WIDTH = 24;
const MS_PER_SECOND = 1_000;
const SECONDS_PER_MINUTE = 60;

/** The steps of a run, which its parts take one after the other. */
export class Steps {
  #stream;
  #line;
  #total;
  #done = 0;
  #endOfPart = 0;
  #startedAt = performance.now();
  #label = "";

  /** @param parts how many steps each part of the run has */
  constructor(stream, parts) {
    this.#stream = stream;
    this.#total = parts.reduce((sum, count) => sum + count, 0);
    this.#line = new Progress(stream, () => this.#describe());
  }

  /** A part of the run begins: it has so many steps, of which it may leave out some. */
  beginPart(count) {
    this.#endOfPart = this.#done + count;
  }

  /** What the part left out counts as done. */
  endPart() {
    this.#done = this.#endOfPart;
  }

  /** The next step begins. */
  begin(label) {
    this.#label = label;
    if (this.#stream.isTTY === true) this.#line.update(this.#done);
    else this.#stream.write(`${label}\n`);
    this.#done += 1;
  }

  /** Something that has to be said stands on a line of its own. */
  say(text) {
    this.#line.clear();
    this.#stream.write(`${text}\n`);
  }

  /** Removes the bar. */
  end() {
    this.#line.clear();
  }

  #describe() {
    const share = this.#done / this.#total;
    const full = Math.round(share * BAR_WIDTH);
    const bar = `${"#".repeat(full)}${"-".repeat(BAR_WIDTH - full)}`;
    const line = `[${bar}] ${Math.floor(share * 100)} %${this.#left(share)}  ${this.#label}`;
    return line.slice(0, Math.max(0, (this.#stream.columns ?? Number.POSITIVE_INFINITY) - 1));
  }

  /** How long the rest will take if it goes on as it did. */
  #left(share) {
    if (this.#done === 0) return "";
    const seconds = Math.round(((performance.now() - this.#startedAt) * (1 / share - 1)) / MS_PER_SECOND);
    const [minutes, rest] = [Math.floor(seconds / SECONDS_PER_MINUTE), seconds % SECONDS_PER_MINUTE];
    return `, ${minutes}:${String(rest).padStart(2, "0")} left`;
  }
}
