// A cut through the landscape along two axes of the pose: values as shades, slopes as arrows, the gripper as a dot.

import { arrow, dot2, draggable, prepared, shaded, stroke } from "./draw.js";
import { AXES } from "./poses.js";

const SIZE = 400, LEFT = 62, BOTTOM = 50, TOP = 10, RIGHT = 14;
const INNER = SIZE - LEFT - RIGHT;
const HEIGHT = INNER + TOP + BOTTOM;

/** Metres and radians -> what axes show. */
export const inUnits = (axis, x) => (axis < 3 ? x * 1e3 : (x * 180) / Math.PI);
export const unitOf = (axis) => (axis < 3 ? "mm" : "°");

export class CutView {
  /** moved([share, share], settled): the visitor wants the gripper there, in half widths. */
  constructor(canvas, moved) {
    this.canvas = canvas;
    this.moved = moved;
    this.place = [0, 0];
    draggable(canvas, SIZE, HEIGHT, (at) => moved(this.shares(at), false), () => moved(null, true));
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
      if (!way) return;
      event.preventDefault();
      moved(this.place.map((x, i) => x + 0.05 * way[i]), true);
    });
  }

  shares([x, y]) {
    const clip = (s) => Math.min(1, Math.max(-1, s));
    return [clip((2 * (x - LEFT)) / INNER - 1), clip(1 - (2 * (y - TOP)) / INNER)];
  }

  at([a, b]) {
    return [LEFT + ((a + 1) / 2) * INNER, TOP + ((1 - b) / 2) * INNER];
  }

  /** The values of a grid (rows: vertical axis, upwards) as a picture; made once per cut. */
  setScores(scores, grid) {
    const { canvas, range } = shaded(scores, grid);
    Object.assign(this, { picture: canvas, range });
    this.grid = grid;
    this.arrows = [];
  }

  /** arrows: [{at: shares, slope: score per half width}]. */
  setSlopes(arrows) {
    this.arrows = arrows;
  }

  /** shown: {axes, halfWidths, gripper: shares, paths: [[shares]], ink, colour}. */
  draw({ axes, halfWidths, gripper, paths, ink, colour, stale }) {
    const context = prepared(this.canvas, SIZE, HEIGHT);
    this.place = gripper;
    context.globalAlpha = stale ? 0.45 : 1;
    if (this.picture) {
      const half = INNER / (this.grid - 1) / 2; // values belong to the middles of the picture's cells
      context.save();
      context.beginPath();
      context.rect(LEFT, TOP, INNER, INNER);
      context.clip();
      context.imageSmoothingEnabled = true;
      context.drawImage(this.picture, LEFT - half, TOP - half, INNER + 2 * half, INNER + 2 * half);
      this.drawArrows(context);
      for (const path of paths) this.drawPath(context, path, colour);
      context.restore();
    }
    context.globalAlpha = 1;
    this.drawAxes(context, axes, halfWidths, ink);
    dot2(context, this.at(gripper.map((x) => Math.min(1, Math.max(-1, x)))), 6, colour);
  }

  drawArrows(context) {
    const longest = Math.max(1e-12, ...this.arrows.map(({ slope }) => Math.hypot(...slope)));
    for (const { at, slope } of this.arrows) {
      const length = Math.hypot(...slope);
      if (length < 1e-12) continue;
      const reach = (0.04 + 0.08 * Math.sqrt(length / longest)) / length;
      arrow(context, this.at(at), this.at(at.map((x, i) => x + reach * slope[i])), "#333", 1.3, 1.5, 5);
    }
  }

  drawPath(context, path, colour) {
    if (path.length > 1) stroke(context, path.map((p) => this.at(p)), colour, 2.2, 2);
    for (const p of path.slice(0, 1)) dot2(context, this.at(p), 3.5, "#fff");
    for (const p of path.slice(1).slice(-1)) dot2(context, this.at(p), 4, colour);
  }

  drawAxes(context, axes, halfWidths, ink) {
    context.strokeStyle = context.fillStyle = ink;
    context.lineWidth = 1;
    context.strokeRect(LEFT, TOP, INNER, INNER);
    context.font = "14px system-ui, sans-serif";
    const label = (k, share) => `${Math.round(inUnits(axes[k], share * halfWidths[k]))}`;
    for (const share of [-1, 0, 1]) {
      const [x] = this.at([share, 0]), [, y] = this.at([0, share]);
      context.textAlign = share < 0 ? "left" : share > 0 ? "right" : "center";
      context.fillText(label(0, share), x, TOP + INNER + 18);
      context.textAlign = "right";
      context.fillText(label(1, share), LEFT - 6, y + (share < 0 ? 0 : share > 0 ? 10 : 5));
    }
    const name = (k) => `${AXES[axes[k]]} (${unitOf(axes[k])})`;
    context.textAlign = "center";
    context.fillText(name(0), LEFT + INNER / 2, TOP + INNER + 40);
    context.save();
    context.translate(16, TOP + INNER / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(name(1), 0, 0);
    context.restore();
  }
}
