// The attempts of the published tables, and those that a visitor's filters leave.

import { FileProblem } from "./container.js";

export const FAILURES = "failures"; // in the place of an outcome: all but success
const ALL = "";

/** Attempts by number, as dgrasp/report/failures/page.py writes them. */
export class Attempts {
  constructor({ facts, arrays }) {
    this.facts = facts;
    this.poses = arrays.poses?.data;
    this.filters = { task: ALL, seed: ALL, policy: ALL, object: ALL, outcome: FAILURES, pictures: ALL };
    const columns = Object.values(facts.columns ?? {}).map((column) => (column.codes ?? column).length);
    if (!this.poses || !columns.length || columns.some((length) => length !== facts.count)) {
      throw new FileProblem("the table of attempts is incomplete; build the page again");
    }
  }

  get numbers() {
    return Array.from({ length: this.facts.count }, (_, i) => i);
  }

  /** What the row of an attempt says. */
  value(name, i) {
    const column = this.facts.columns[name];
    return column.codes ? column.words[column.codes[i]] : column[i];
  }

  success(i) {
    return this.value("outcome", i) === "success";
  }

  /** Kinds of the objects that stood on the board. */
  kinds(i) {
    return this.facts.kinds[this.facts.columns.objects.codes[i]];
  }

  /** The chosen grasp, three rows of its matrix; null where none was found or no pictures were taken. */
  pose(i) {
    const at = this.value("picture", i);
    if (at < 0) return null;
    const T = this.poses.subarray(12 * at, 12 * at + 12);
    return T.every(Number.isFinite) ? T : null;
  }

  /** Name of the file with an attempt's pictures, or null. */
  sheet(i) {
    return this.value("picture", i) < 0 ? null : this.value("sheet", i);
  }

  /** Whether there are pictures, in a word. */
  pictures(i) {
    return this.sheet(i) ? "with pictures" : "without";
  }

  has(i, name, wanted) {
    if (wanted === ALL) return true;
    if (name === "pictures") return this.pictures(i) === wanted;
    if (name === "object") return this.kinds(i).includes(wanted);
    if (name === "outcome" && wanted === FAILURES) return !this.success(i);
    return String(this.value(name, i)) === wanted;
  }

  /** Numbers of the attempts that pass all filters, but for the one called `without`. */
  left(without = null) {
    const active = Object.entries(this.filters).filter(([name, wanted]) => name !== without && wanted !== ALL);
    return this.numbers.filter((i) => active.every(([name, wanted]) => this.has(i, name, wanted)));
  }

  /** What can be chosen in a filter, with how many attempts the other filters leave of each: [[value, text]]. */
  options(name) {
    const left = this.left(name), counts = new Map();
    const values = (i) => (name === "object" ? this.kinds(i) : [name === "pictures" ? this.pictures(i) : String(this.value(name, i))]);
    for (const i of this.numbers) for (const value of values(i)) counts.set(value, 0);
    for (const i of left) for (const value of values(i)) counts.set(value, counts.get(value) + 1);
    const named = [...counts].map(([value, count]) => [value, `${this.title(name, value)} (${count})`]);
    const failed = left.filter((i) => !this.success(i)).length;
    const failures = name === "outcome" ? [[FAILURES, `all failures (${failed})`]] : [];
    return [[ALL, `all (${left.length})`], ...failures, ...named];
  }

  title(name, value) {
    return this.facts.titles[name]?.[value] ?? value;
  }

  /** In words: "clutter, scene 4, attempt 2". */
  place(i) {
    const task = this.title("task", this.value("task", i)), scene = this.value("scene", i) + 1;
    if (this.value("presented", i)) return `${task}: ${this.value("presented", i)}, presentation ${scene}`;
    return `${task}, scene ${scene}, attempt ${this.value("attempt", i) + 1}`;
  }

  /** Attempts of other policies in the same state of the same scene: only the first attempts meet the same. */
  others(i) {
    if (this.value("attempt", i) !== 0) return [];
    const same = ["seed", "task", "presented", "scene", "attempt"];
    return this.numbers.filter((k) => k !== i && same.every((name) => this.value(name, k) === this.value(name, i)));
  }
}
