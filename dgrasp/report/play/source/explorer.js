// The explorer: one gripper over one scene, and the landscapes of one or two models round it.

import { CameraView } from "./camera.js";
import { h } from "./controls.js";
import { CutView } from "./cut.js";
import { styled } from "./draw.js";
import { Landscape, candidatesOf, isAbort } from "./landscape.js";
import { HALF_WIDTHS, coordinatesOf, poseAt, positionOf, randomFrom, uniformPoses } from "./poses.js";
import { SpaceView } from "./space.js";

const REST = 120; // milliseconds without a movement before a cut is computed again
const START = [-0.06, 0.05, 0.04, 0, 0, 0.5]; // of the gripper from a known grasp: near enough to climb, and visibly off
const CANDIDATES = 64;

// Canvases that keys work have the role "application": screen readers keep the arrow keys for themselves elsewhere.

/** One model: its camera view, its cut, what it says. */
class Side {
  constructor(explorer, index) {
    this.explorer = explorer;
    this.colour = ["--dgp-first", "--dgp-second"][index];
    this.shape = ["square", "circle"][index];
    this.title = h("h2", {});
    const picture = h("canvas", {
      tabindex: 0, role: "application", class: "dgp-camera",
      "aria-label": "Camera view with the gripper. Arrow keys move it, page up and down raise and lower it.",
    });
    const plane = h("canvas", {
      tabindex: 0, role: "application", class: "dgp-cut",
      "aria-label": "Cut through the landscape round the gripper. Arrow keys move the gripper in it.",
    });
    this.says = h("p", { class: "dgp-says" });
    this.range = h("p", { class: "dgp-note" });
    this.element = h("section", { class: "dgp-side" }, this.title, picture, this.says, plane, this.range);
    this.camera = new CameraView(picture, (p, settled) => explorer.moveTo(p, settled));
    this.cut = new CutView(plane, (shares, settled) => explorer.moveInCut(shares, settled));
    this.frames = [];
  }

  setModel(model) {
    this.landscape?.stop();
    this.model = model;
    this.landscape = model ? new Landscape(this.explorer.pool, model) : null;
    this.element.hidden = !model;
    this.title.textContent = model ? this.explorer.supply.titleOf(model) : "";
    this.frames = [];
    this.value = null;
  }

  /** Ask for the value under the gripper. */
  async ask() {
    try {
      this.value = await this.landscape.under(this.explorer.gripper);
      this.explorer.draw();
    } catch (error) {
      this.explorer.failed(error);
    }
  }

  async computeCut(cut, grid) {
    this.stale = true;
    try {
      this.cut.setScores(await this.landscape.cut(cut, grid), grid);
      this.stale = false;
      this.range.textContent =
        `Dark is high: values from ${this.cut.range.map((x) => x.toFixed(1)).join(" to ")}, ${grid} × ${grid} poses.`;
      this.explorer.draw();
      this.cut.setSlopes(await this.landscape.arrows(cut));
      this.explorer.draw();
    } catch (error) {
      this.explorer.failed(error);
    }
  }

  /** Climb, and keep every step; the one shown follows unless the visitor looked back. Ends when its path is cleared. */
  async climb(starts, how) {
    const frames = (this.frames = []);
    try {
      for await (const frame of this.landscape.climb(starts, how)) {
        if (this.frames !== frames) break;
        if (frame.done) frames[frames.length - 1] = frame;
        else frames.push(frame);
        // The scores that come with a step were asked for before it: they belong to the poses shown before.
        if (!frame.done && frame.step > 0) frames[frame.step - 1].scores = frame.scores;
        this.explorer.stepped();
      }
    } catch (error) {
      this.explorer.failed(error);
    }
  }

  speak(single, until) {
    const { score, slope } = this.value ?? {};
    if (score == null) return;
    if (single) {
      const there = this.frames[until].scores[0];
      const now = Number.isFinite(there) ? `Value ${there.toFixed(2)}` : "Climbing";
      this.says.replaceChildren(h("strong", {}, now), ` at step ${until}; ${score.toFixed(2)} at the start`);
      return;
    }
    const size = (v) => Math.hypot(...v);
    this.says.replaceChildren(
      h("strong", {}, `Value ${score.toFixed(2)}`),
      `, slope ${(size(slope.slice(0, 3)) / 1e3).toFixed(2)} per mm, ${((size(slope.slice(3)) * Math.PI) / 180).toFixed(2)} per degree`,
    );
  }

  draw(shown, cut) {
    if (!this.model) return;
    const colour = styled(this.element, this.colour), { gripper, queries, step } = shown, c = cut.coordinates;
    const until = Math.min(step, this.frames.length - 1);
    const all = until < 0 ? [] : candidatesOf(this.frames, until), single = all.length === 1;
    const moving = single ? all[0].pose : gripper;
    this.drawn = {
      candidates: single ? [] : all, path: single ? all[0].path : [], moving: single && moving, colour, shape: this.shape,
    };
    this.speak(single, until);
    this.camera.draw({
      ...this.drawn, gripper: moving, slope: single ? null : this.value?.slope.slice(0, 3), queries,
    });
    this.camera.gripper = gripper;
    const share = (pose) => cut.axes.map((axis, i) => coordinatesOf(cut.centre, pose)[axis] / cut.halfWidths[i]);
    const paths = single ? [this.frames.slice(0, until + 1).map((f) => share(f.poses[0]))] : [];
    this.cut.draw({
      axes: cut.axes, halfWidths: cut.halfWidths, gripper: cut.axes.map((axis, i) => c[axis] / cut.halfWidths[i]),
      paths, ink: styled(this.element, "--dgp-ink"), colour, stale: this.stale,
    });
  }
}

/** State and views. `supply`: see main.js. `changed()` is called when controls must follow. */
export class Explorer {
  constructor(supply, pool, changed) {
    Object.assign(this, { supply, pool, changed, onError: () => {}, step: Infinity, seed: 1, showQueries: true });
    this.sides = [new Side(this, 0), new Side(this, 1)];
    const canvas = h("canvas", {
      tabindex: 0, role: "application", class: "dgp-space",
      "aria-label": "The scene in three dimensions. Arrow keys turn it, plus and minus change the distance.",
    });
    this.spaceElement = canvas;
    this.space = new SpaceView(canvas, () => this.draw());
    this.axes = [0, 1];
    this.zoom = 1;
    this.grid = 21;
    this.cameraIndex = 0;
  }

  get used() {
    return this.sides.filter((side) => side.model);
  }

  setScene(scene) {
    this.scene = scene;
    this.space.setScene(scene);
    this.setCamera(Math.min(this.cameraIndex, scene.pictures.length - 1));
    for (const side of this.sides) side.frames = [];
    this.setCentre(0);
    this.coordinates = [...START];
    this.keepInside(positionOf(this.gripper));
    this.settle();
  }

  setCamera(index) {
    this.cameraIndex = index;
    for (const side of this.sides) side.camera.setScene(this.scene, index);
    this.draw();
  }

  /** Cuts go round a known grasp (its number), or round where the gripper is ("here"). */
  setCentre(which) {
    this.centre = which === "here" ? this.gripper : this.scene.grasps[which] ?? this.scene.facts.middle;
    this.coordinates = [0, 0, 0, 0, 0, 0];
    this.settle();
  }

  get gripper() {
    return poseAt(this.centre, this.coordinates);
  }

  get cut() {
    const halfWidths = this.axes.map((axis) => HALF_WIDTHS[axis] / this.zoom);
    return { centre: this.centre, axes: this.axes, halfWidths, offsets: this.coordinates, coordinates: this.coordinates };
  }

  /** The TCP to a point of the world, inside of the workspace; null: it was let go. */
  moveTo(p, settled) {
    if (!this.scene) return;
    if (p) this.keepInside(p);
    this.moved(settled);
  }

  /** The TCP to the nearest place of the workspace. */
  keepInside(p) {
    const [low, high] = this.supply.catalogue.bounds, from = positionOf(this.centre);
    p.forEach((x, i) => (this.coordinates[i] = Math.min(high[i], Math.max(low[i], x)) - from[i]));
  }

  moveInCut(shares, settled) {
    if (!this.scene) return;
    const { halfWidths } = this.cut;
    shares?.forEach((share, i) => (this.coordinates[this.axes[i]] = Math.min(1, Math.max(-1, share)) * halfWidths[i]));
    this.moved(settled);
  }

  moved(settled) {
    this.clearPaths();
    this.ask();
    this.changed();
    if (settled) this.settle();
    else this.draw();
  }

  /** A single climber's path belongs to where it started, and its climb ends with it; many may stay. */
  clearPaths() {
    for (const side of this.used) {
      if (side.frames[0]?.poses.length !== 1) continue;
      side.landscape.stopClimb();
      side.frames = [];
    }
  }

  ask() {
    if (this.scene) for (const side of this.used) side.ask();
  }

  /** Everything anew once the visitor rests; a cut through the same plane is not computed again. */
  settle() {
    this.ask();
    this.changed();
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.computeCuts(), REST);
  }

  computeCuts() {
    if (!this.scene) return;
    const { coordinates, ...cut } = this.cut, offsets = coordinates.map((x, i) => (this.axes.includes(i) ? 0 : x));
    for (const side of this.used) {
      const plane = JSON.stringify([side.model, this.scene.facts.id, this.grid, { ...cut, offsets }]);
      if (side.plane === plane) continue;
      side.plane = plane;
      side.computeCut({ ...cut, offsets }, this.grid).then(() => side.stale && (side.plane = null));
    }
  }

  /** how: {settings, representation, schedule}. many: random poses, the same for both sides. */
  async climb(how, many) {
    const { bounds } = this.supply.catalogue;
    const starts = many ? uniformPoses(CANDIDATES, bounds, randomFrom(this.seed)) : [this.gripper];
    this.step = Infinity;
    const begun = performance.now();
    await Promise.all(this.used.map((side) => side.climb(starts, { ...how, bounds })));
    return (performance.now() - begun) / 1e3;
  }

  stop() {
    for (const side of this.used) side.landscape.stop();
  }

  get steps() {
    return Math.max(0, ...this.used.map((side) => side.frames.length - 1));
  }

  stepped() {
    this.changed();
    this.draw();
  }

  /** The gripper to where a side's (best) candidate is. */
  take(side) {
    const frame = side.frames[Math.min(this.step, side.frames.length - 1)];
    if (!frame) return;
    const best = frame.poses.length > 1 ? frame.scores.indexOf(Math.max(...frame.scores.filter(Number.isFinite))) : 0;
    this.coordinates = coordinatesOf(this.centre, frame.poses[Math.max(0, best)]);
    this.clearPaths();
    this.settle();
  }

  failed(error) {
    if (!isAbort(error)) this.onError(error);
  }

  /** Draw soon, once for many calls; after a picture that took long the page gets as long a rest. */
  draw() {
    if (this.pending || !this.scene || !this.centre) return;
    this.pending = true;
    setTimeout(() => requestAnimationFrame((begun) => {
      this.pending = false;
      this.drawNow();
      this.took = performance.now() - begun;
    }), Math.min(REST, this.took ?? 0));
  }

  drawNow() {
    const queries = this.showQueries ? this.supply.queriesOf(this.used[0]?.model) : [], gripper = this.gripper;
    for (const side of this.used) side.draw({ gripper, queries, step: this.step }, this.cut);
    this.space.draw({
      sides: this.used.map((side) => side.drawn), gripper, queries, ink: styled(this.spaceElement, "--dgp-ink"),
    });
  }
}
