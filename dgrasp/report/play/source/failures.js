// Entry of the failure browser: filters, the list of attempts they leave, and one attempt in full.
//
// A supply loads files and says where the explorer's page is:
//   load   (kind, id) -> bytes: ("attempts", "all") or ("sheet", name)
//   play   address of the page with the explorer, or null

import { FileProblem, inflate, lacking, readFile } from "./container.js";
import { button, choice, h } from "./controls.js";
import { styled } from "./draw.js";
import { framesOf, Sheets, viewsOf } from "./failures_pictures.js";
import { Attempts, FAILURES } from "./failures_table.js";

const NAMES = { task: "Task", seed: "Seed", policy: "Policy", object: "Object", outcome: "Outcome", pictures: "Pictures" };
const WHERE_DIFFERENT = ["seed", "pictures"]; // filters that are shown where there is something to choose
const WANTED = { DecompressionStream: "DecompressionStream (browsers of 2023 and later)", createImageBitmap: "createImageBitmap" };

/** The browser in `element`; what stands there stays below a message where something is missing. */
export async function browse(element, supply) {
  element.classList.add("dgp");
  const said = h("p", { class: "dgp-status", role: "status", "aria-live": "polite" }, "Loading the attempts …");
  element.prepend(said);
  try {
    const lacks = lacking(WANTED);
    if (lacks.length) throw new FileProblem(`this browser has no ${lacks.join(", no ")}`);
    const attempts = new Attempts(readFile(await inflate(await supply.load("attempts", "all")), "attempts"));
    const app = new Browser(attempts, supply);
    element.replaceChildren(app.element);
    app.filtered();
    await app.busy;
    return app;
  } catch (error) {
    said.textContent = problem(error);
    said.classList.add("dgp-wrong");
    said.setAttribute("role", "alert");
    return null;
  }
}

const problem = (error) =>
  error instanceof FileProblem ? `This cannot be shown: ${error.message}.` : `Something unexpected: ${error.message}`;

class Browser {
  constructor(attempts, supply) {
    Object.assign(this, { attempts, supply, sheets: new Sheets(supply.load), busy: Promise.resolve() });
    this.asked();
    this.status = h("p", { class: "dgp-status", role: "status", "aria-live": "polite" });
    this.filters = Object.keys(NAMES).map((name) => this.filter(name));
    this.list = h("select", { size: 14, class: "dgp-list", "aria-label": "Attempts", onchange: () => this.show(Number(this.list.value)) });
    this.detail = h("div", { class: "dgp-attempt", tabindex: 0, role: "group", "aria-label": "The attempt" });
    this.detail.addEventListener("keydown", (event) => this.key(event));
    const acts = h("div", { class: "dgp-bar" },
      ...this.filters.filter(({ name }) => !WHERE_DIFFERENT.includes(name) || attempts.options(name).length > 2).map(({ control }) => control.element),
      button("Show all failures", () => this.clear()));
    const steps = h("div", { class: "dgp-buttons" }, button("Previous", () => this.step(-1)), button("Next", () => this.step(1)));
    const note = h("p", { class: "dgp-note" }, attempts.facts.rule);
    this.element = h("div", {}, acts, this.status,
      h("div", { class: "dgp-browser" }, h("div", {}, steps, this.list), this.detail), note);
  }

  /** Filters of the address: failures.html#task=novel&outcome=missed. */
  asked() {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
      if (name in NAMES && [...this.attempts.options(name)].some(([known]) => known === value)) this.attempts.filters[name] = value;
    }
  }

  filter(name) {
    const { attempts } = this;
    const control = choice(NAMES[name], attempts.options(name), attempts.filters[name], (value) => {
      attempts.filters[name] = value;
      this.filtered();
    });
    return { name, control };
  }

  clear() {
    for (const name of Object.keys(NAMES)) this.attempts.filters[name] = name === "outcome" ? FAILURES : "";
    this.filtered();
  }

  /** Lists and counts follow the filters; the first attempt with pictures is shown. */
  filtered() {
    const { attempts } = this, left = attempts.left();
    for (const { name, control } of this.filters) control.fill(attempts.options(name), attempts.filters[name]);
    this.list.replaceChildren(...left.map((i) => h("option", { value: i }, this.line(i))));
    const failed = left.filter((i) => !attempts.success(i)).length, seen = left.filter((i) => attempts.sheet(i));
    this.status.textContent =
      `${left.length} of ${attempts.facts.count} attempts: ${failed} failed, ${left.length - failed} succeeded; ${seen.length} with pictures.`;
    if (left.length) this.show(seen[0] ?? left[0]);
    else this.detail.replaceChildren(h("p", {}, this.nothing()));
  }

  nothing() {
    const { attempts } = this, failures = attempts.numbers.some((i) => !attempts.success(i));
    return failures ? "No attempt passes these filters." : "No attempt failed. Choose another outcome to see successes.";
  }

  line(i) {
    const { attempts } = this, mark = attempts.sheet(i) ? " [pictures]" : "";
    return `${attempts.success(i) ? "✓" : "✗"} ${attempts.value("outcome", i)}${mark} · ${attempts.place(i)} · ${this.policy(i)}`;
  }

  policy(i) {
    return this.attempts.title("policy", this.attempts.value("policy", i));
  }

  step(by) {
    const to = this.list.selectedIndex + by;
    if (to < 0 || to >= this.list.length) return;
    this.list.selectedIndex = to;
    this.show(Number(this.list.value));
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.target !== this.detail) return;
    event.preventDefault();
    this.step(by);
  }

  show(i) {
    this.shown = i;
    this.list.value = String(i);
    this.pictures = h("div", { class: "dgp-pictures" });
    this.detail.replaceChildren(h("h2", {}, `${this.policy(i)}: ${this.attempts.value("outcome", i)}`), this.facts(i), this.pictures, ...this.more(i));
    this.busy = this.drawn(i, this.pictures);
  }

  facts(i) {
    const { attempts } = this, value = attempts.value("value", i);
    const rows = {
      Where: attempts.place(i) + (attempts.facts.seeds > 1 ? `, seed ${attempts.value("seed", i)}` : ""),
      "On the board": attempts.value("objects", i),
      "What happened": attempts.value("reason", i) || "–",
      "Value of the grasp": value == null ? "no grasp was chosen" : value.toFixed(2),
    };
    return h("dl", {}, ...Object.entries(rows).flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
  }

  /** Pictures arrive later; those of an attempt that is no longer shown are dropped. */
  async drawn(i, place) {
    const { attempts } = this, name = attempts.sheet(i);
    if (!name) return place.replaceChildren(h("p", { class: "dgp-note" }, "There are no pictures of this attempt. The filter “Pictures” shows which have some."));
    place.replaceChildren(h("p", { class: "dgp-note" }, "Loading the pictures …"));
    try {
      const sheet = await this.sheets.get(name);
      const entry = sheet.attempts[i];
      if (!entry) throw new FileProblem(`the pictures of ${name} are of another table; build the page again`);
      const camera = attempts.facts.cameras[attempts.value("seed", i)], colour = styled(this.detail, "--dgp-first");
      const views = viewsOf(sheet, entry, camera, attempts.pose(i), colour);
      place.replaceChildren(...views, ...framesOf(sheet, entry, attempts.value("outcome", i)), ...remarks(entry));
    } catch (error) {
      place.replaceChildren(h("p", { class: "dgp-wrong", role: "alert" }, problem(error)));
    }
  }

  more(i) {
    const { attempts } = this, others = attempts.others(i), scene = attempts.facts.played[`${attempts.value("seed", i)}/${attempts.value("task", i)}/${attempts.value("scene", i)}`];
    const made = [];
    if (others.length) {
      const entries = others.map((k) => h("li", {}, button(`${attempts.success(k) ? "✓" : "✗"} ${this.policy(k)}: ${attempts.value("outcome", k)}`, () => this.jump(k))));
      made.push(h("h2", {}, "Other policies in the same scene"), h("ul", { class: "dgp-buttons" }, ...entries));
    }
    if (scene && this.supply.play) {
      const text = attempts.value("attempt", i) ? "Play in this scene as it was at first" : "Play in this scene";
      made.push(h("p", {}, h("a", { href: `${this.supply.play}#scene=${scene}` }, text)));
    }
    return made;
  }

  /** Another attempt, even if the filters do not leave it. */
  jump(i) {
    if (!this.attempts.left().includes(i)) {
      for (const name of Object.keys(NAMES)) this.attempts.filters[name] = "";
      this.filtered();
    }
    this.show(i);
    this.detail.focus();
  }
}

function remarks({ same, seen, exact, frames }) {
  const texts = [];
  if (!seen) texts.push("The policy saw these objects in other colours: their textures were not at hand when the pictures were made.");
  if (!same) texts.push("Made once more, this attempt ended another way than the table says: so there are no pictures of the trial.");
  else if (!frames.length) texts.push("The arm did not move, so there are no pictures of a trial.");
  else if (!exact) texts.push("Made once more, it took a little longer or shorter: pictures may differ from what happened then by millimetres.");
  return texts.map((text) => h("p", { class: "dgp-note" }, text));
}
