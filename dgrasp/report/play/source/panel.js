// The controls of the explorer, and what they say to it.

import { button, choice, enable, group, h, slider, tick } from "./controls.js";
import { inUnits, unitOf } from "./cut.js";
import { AXES, HALF_WIDTHS } from "./poses.js";

const DEGREE = Math.PI / 180;
const NUMBERS = {
  steps: { text: "steps", min: 1, max: 64, step: 1, show: (x) => x.toFixed(0) },
  translation_rate: { text: "translation rate", min: 1e-3, max: 0.3, log: true, show: (x) => `${(1e3 * x).toPrecision(3)} mm` },
  rotation_rate: { text: "rotation rate", min: 3e-3, max: 3, log: true, show: (x) => x.toPrecision(3) },
  translation_decay: { text: "translation decay", min: 0.5, max: 1, step: 0.005, show: (x) => x.toFixed(3) },
  rotation_decay: { text: "rotation decay", min: 0.5, max: 1, step: 0.005, show: (x) => x.toFixed(3) },
};
const DROP = 4, KEEP = 16; // "drop": after so many steps only the best so many climb on, as our profiles do

/** Controls bound to an explorer. */
export class Panel {
  constructor(explorer, supply, loadScene, loadModels) {
    Object.assign(this, { explorer, supply, loadScene, loadModels, climbs: 0 });
    this.status = h("p", { class: "dgp-status", role: "status", "aria-live": "polite" });
    this.bar = h("div", { class: "dgp-bar" }, ...this.choices());
    this.acts = h("div", { class: "dgp-bar" }, ...this.buttons());
    this.element = h("div", { class: "dgp-controls" }, this.gripperGroup(), this.cutGroup(), this.climbGroup());
    this.usePolicy(this.policy.value);
    enable([this.bar, this.acts, this.element], false);
  }

  /** The first files are here, or are not to be had: others can be chosen. */
  firstLoaded() {
    enable([this.scene, this.left, this.right].map((list) => list.element), true);
  }

  say(text, wrong = false) {
    this.status.textContent = text;
    this.status.classList.toggle("dgp-wrong", wrong);
  }

  choices() {
    const { scenes, models, first } = this.supply.catalogue, named = models.map(({ id, title }) => [id, title]);
    this.scene = choice("Scene", scenes.map(({ id, title }) => [id, title]), first.scene, (id) => this.loadScene(id));
    const load = () => this.loadModels([this.left.value, this.right.value]);
    this.left = choice("Left model", named, first.models[0], load);
    this.right = choice("Right model", [["", "none"], ...named], first.models[1] ?? "", load);
    this.camera = choice("Camera", [["0", "1"], ["1", "2"]], "0", (i) => this.explorer.setCamera(Number(i)));
    const queries = tick("show the points that the network reads", true, (on) => {
      this.explorer.showQueries = on;
      this.explorer.draw();
    });
    return [this.scene, this.left, this.right, this.camera, queries].map((control) => control.element);
  }

  buttons() {
    const { explorer } = this;
    this.step = slider("step", { min: 0, max: 1, step: 1, value: 0, show: (x) => x.toFixed(0) }, (x) => {
      explorer.step = x;
      explorer.draw();
    });
    return [
      button("Let the gripper climb", () => this.climb(false)),
      button("Let 64 climb", () => this.climb(true)),
      button("Other 64 starts", () => (explorer.seed++, this.climb(true))),
      button("Stop", () => (explorer.stop(), this.say("Stopped."))),
      this.step.element,
      button("Gripper to the climb’s end, left", () => explorer.take(explorer.sides[0])),
      button("Gripper to the climb’s end, right", () => explorer.take(explorer.sides[1])),
    ];
  }

  gripperGroup() {
    this.place = AXES.map((name, axis) => {
      const reach = Math.round(inUnits(axis, axis < 3 ? 3 * HALF_WIDTHS[axis] : Math.PI * 0.95));
      const unit = unitOf(axis), show = (x) => `${x.toFixed(0)}${unit === "°" ? unit : ` ${unit}`}`;
      return slider(name, { min: -reach, max: reach, step: 1, value: 0, show }, (x, settled) => {
        this.explorer.coordinates[axis] = axis < 3 ? x / 1e3 : x * DEGREE;
        this.explorer.moved(settled);
      });
    });
    const note = h("p", { class: "dgp-note" }, "How far it is from the centre of the cut, along the world’s axes, and how far it is turned about its own. " +
      "You can also drag it in a picture; with the shift key held it rises and sinks.");
    return group("The gripper", note, ...this.place.map((control) => control.element));
  }

  cutGroup() {
    const axes = AXES.map((name, i) => [String(i), name]);
    const changed = () => this.setAxes();
    this.across = choice("horizontal axis", axes, "0", changed);
    this.upwards = choice("vertical axis", axes, "1", changed);
    this.zoom = slider("zoom", { min: 0.5, max: 8, value: 1, log: true, show: (x) => `× ${x.toFixed(1)}` }, (x, settled) => {
      this.explorer.zoom = x;
      if (settled) this.explorer.settle();
      else this.explorer.draw();
    });
    this.grid = choice("grid", [["11", "11 × 11"], ["21", "21 × 21"], ["31", "31 × 31"]], "21", (n) => {
      this.explorer.grid = Number(n);
      this.explorer.settle();
    });
    this.centre = choice("centre", [], "0", (which) => {
      this.explorer.setCentre(which === "here" ? which : Number(which));
      if (which === "here") this.say("The cut goes round the gripper now.");
    });
    const note = h("p", { class: "dgp-note" }, "The coloured squares: values of poses that differ from the gripper’s along two axes. " +
      "Arrows point uphill. Click into a square to move the gripper there.");
    return group("The cut", note, ...[this.centre, this.across, this.upwards, this.zoom, this.grid].map((c) => c.element));
  }

  setAxes() {
    const axes = [Number(this.across.value), Number(this.upwards.value)];
    if (axes[0] === axes[1]) {
      this.say(`The cut needs two different axes; both are “${AXES[axes[0]]}”.`, true);
      return;
    }
    this.explorer.axes = axes;
    this.explorer.settle();
    this.say(`Cut along ${AXES[axes[0]]} and ${AXES[axes[1]]}.`);
  }

  climbGroup() {
    const policies = Object.entries(this.supply.catalogue.policies).map(([id, { title }]) => [id, title]);
    this.policy = choice("tuned for", policies, this.supply.catalogue.first.policy, (id) => this.usePolicy(id));
    this.numbers = Object.fromEntries(Object.entries(NUMBERS).map(([name, { text, ...range }]) => [
      name, slider(text, { ...range, value: range.max / 2 }, () => {}),
    ]));
    this.schedule = choice("order", [["sync", "both at once (sync)"], ["seq", "translation, then rotation (seq)"]], "sync", () => {});
    this.representation = choice("rotation as", [["quat", "quaternion"], ["6d", "6D"]], "quat", () => {});
    this.drop = tick(`after ${DROP} steps only the best ${KEEP} climb on`, false, () => {});
    const controls = [this.policy, ...Object.values(this.numbers), this.schedule, this.representation, this.drop];
    const note = h("p", { class: "dgp-note" }, "A rate is the length of the first step; each step is shorter by the decay. " +
      "All settings are those of a tuned policy until you change them.");
    return group("The climb", note, ...controls.map((c) => c.element));
  }

  /** All settings of a tuned policy. */
  usePolicy(id) {
    const { optimizer, schedule, representation } = this.supply.catalogue.policies[id];
    for (const [name, control] of Object.entries(this.numbers)) control.set(optimizer[name]);
    this.schedule.set(schedule);
    this.representation.set(representation);
    this.rest = optimizer;
  }

  get how() {
    const chosen = Object.fromEntries(Object.entries(this.numbers).map(([name, control]) => [name, control.value]));
    const { gradient_clip: clip, clip_to_workspace: inside } = this.rest;
    const settings = { ...chosen, steps: Math.round(chosen.steps), gradient_clip: clip, clip_to_workspace: inside };
    return { settings, schedule: this.schedule.value, representation: this.representation.value };
  }

  async climb(many) {
    const how = this.how, explorer = this.explorer;
    if (!explorer.scene) {
      this.say("There is no scene to climb in yet.", true);
      return;
    }
    how.settings.pruning = many && this.drop.value ? [[DROP, KEEP]] : [];
    this.say(many ? "64 candidates climb from random poses, the same on both sides." : "The gripper climbs.");
    const number = ++this.climbs, seconds = await explorer.climb(how, many);
    if (number !== this.climbs) return; // another climb has begun, which speaks for itself
    if (explorer.used.every((side) => side.frames.length === 0)) {
      this.say("The climb has ended, since the gripper was moved.");
      return;
    }
    const ends = explorer.used.map((side) => {
      const known = side.frames.at(-1)?.scores.filter(Number.isFinite) ?? [];
      return `${this.supply.titleOf(side.model)}: ${known.length ? Math.max(...known).toFixed(2) : "–"}`;
    });
    const colours = many ? " The darker a candidate is, the higher its value; the thick one has the highest." : "";
    this.say(`${explorer.steps} steps in ${seconds.toFixed(1)} s. ${many ? "Best values" : "Values"} at the end: ${ends.join("; ")}.${colours}`);
  }

  /** Controls follow the explorer: after a drag, a climb, another scene. */
  follow() {
    const { explorer } = this;
    explorer.coordinates?.forEach((x, axis) => this.place[axis].set(Math.round(inUnits(axis, x))));
    const steps = explorer.steps;
    this.step.input.max = Math.max(1, steps);
    this.step.set(Math.min(explorer.step, steps));
    this.step.input.disabled = steps === 0;
  }

  /** Lists that belong to a scene. */
  sceneShown(scene) {
    const grasps = scene.grasps.map((_, i) => [String(i), `known grasp ${i + 1}`]);
    this.centre.fill([...(grasps.length ? grasps : [["0", "the middle of the board"]]), ["here", "the gripper's place"]], "0");
    this.camera.fill(scene.pictures.map((_, i) => [String(i), String(i + 1)]), String(this.explorer.cameraIndex));
    enable([this.bar, this.acts, this.element], true);
    this.follow();
  }
}
