// The camera's view: the picture, the gripper in it, which is dragged, and the candidates.

import { Camera, arrow, colourOf, css, dot2, draggable, gripperAt, prepared, stroke } from "./draw.js";
import { column, placed, positionOf } from "./poses.js";

const ARROW = 0.05; // metres: the slope's direction is drawn, not its size
const STEP = 0.005; // metres that a key moves the gripper

export class CameraView {
  /** moved(p, settled): the visitor wants the TCP at p (world, metres). */
  constructor(canvas, moved) {
    this.canvas = canvas;
    this.moved = moved;
    this.width = 640;
    this.height = 480;
    this.camera = null;
    draggable(canvas, this.width, this.height, (place, event, first) => this.drag(place, event, first), () => this.moved(null, true));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** scene: {pictures, width, height, Ks, Ts}; which camera. */
  setScene(scene, index) {
    this.picture = scene.pictures[index];
    this.camera = new Camera(scene.K.subarray(9 * index, 9 * index + 9), scene.Ts.subarray(16 * index, 16 * index + 16));
  }

  /** The gripper follows the pointer in the horizontal plane of the TCP; with shift its height changes. */
  drag(place, event, first) {
    if (!this.camera || !this.gripper) return;
    const p = positionOf(this.gripper), [u, v] = this.camera.project(p);
    if (first || event.shiftKey !== this.shift) this.grip = [u - place[0], v - place[1]];
    if (first && Math.hypot(...this.grip) > 60) this.grip = [0, 0]; // not near the gripper: it jumps to the pointer
    this.shift = event.shiftKey;
    const target = [place[0] + this.grip[0], place[1] + this.grip[1]];
    if (event.shiftKey) {
      const perPixel = 1 / Math.abs(this.camera.project([p[0], p[1], p[2] + 1e-3])[1] - v) / 1e3;
      this.moved([p[0], p[1], p[2] - (target[1] - v) * perPixel], false);
    } else {
      const q = this.camera.onPlane(target, p[2]);
      if (q) this.moved(q, false);
    }
  }

  key(event) {
    const ways = {
      ArrowUp: [STEP, 0, 0], ArrowDown: [-STEP, 0, 0], ArrowLeft: [0, STEP, 0], ArrowRight: [0, -STEP, 0],
      PageUp: [0, 0, STEP], PageDown: [0, 0, -STEP],
    };
    const way = ways[event.key];
    if (!way || !this.gripper) return;
    event.preventDefault();
    const along = this.camera ? this.turned(way) : way;
    this.moved(positionOf(this.gripper).map((x, i) => x + along[i]), true);
  }

  /** A horizontal step away from the camera (and sideways) as the visitor sees it. */
  turned([away, left, up]) {
    const T = this.camera.T, forward = Math.atan2(T[6], T[2]);
    return [
      away * Math.cos(forward) - left * Math.sin(forward), away * Math.sin(forward) + left * Math.cos(forward), up,
    ];
  }

  /** shown: {gripper, slope (3), candidates: {poses, shares, paths}, path, queries, colour}. */
  draw(shown) {
    const context = prepared(this.canvas, this.width, this.height);
    this.gripper = shown.gripper;
    if (!this.camera) return;
    if (this.picture) context.drawImage(this.picture, 0, 0, this.width, this.height);
    const onto = (line) => line.map((p) => this.camera.project(p));
    for (const { share, path } of shown.candidates) {
      if (path.length > 1) stroke(context, onto(path), css(colourOf(share), 0.75), 1.3);
    }
    for (const { pose, share, best } of shown.candidates) {
      for (const line of gripperAt(pose, 0.45)) stroke(context, onto(line), css(colourOf(share)), best ? 4 : 1.6, best ? 3 : 1);
    }
    if (shown.path.length > 1) stroke(context, onto(shown.path), shown.colour, 2.5, 2);
    for (const line of gripperAt(shown.gripper)) stroke(context, onto(line), shown.colour, 3.5, 3);
    for (const q of shown.queries) dot2(context, this.camera.project(placed(shown.gripper, q)), 2.4, shown.colour);
    const p = positionOf(shown.gripper), length = Math.hypot(...(shown.slope ?? [0]));
    const here = this.camera.project(p);
    if (length > 0) {
      const tip = this.camera.project(p.map((x, i) => x + (ARROW * shown.slope[i]) / length));
      arrow(context, here, tip, "#000", 2.5, 3);
    }
    dot2(context, here, 5, shown.colour);
    const out = this.camera.project(p.map((x, i) => x + 0.03 * column(shown.gripper, 2)[i]));
    stroke(context, [here, out], shown.colour, 1.5, 1);
  }
}
