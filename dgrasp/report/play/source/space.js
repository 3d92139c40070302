// The scene in three dimensions, turned by hand: surfaces, grippers, paths and query points, far ones drawn first.

import { Camera, colourOf, css, draggable, gripperAt, prepared } from "./draw.js";
import { cross, placed } from "./poses.js";

const WIDE = 640, HIGH = 440;
const LIGHT = [0.42, 0.3, 0.86]; // from above, so that faces are told from each other
const PIECE = 0.02; // metres: the gripper's lines are cut, so that each piece has a depth of its own

export class SpaceView {
  constructor(canvas, redraw) {
    this.canvas = canvas;
    Object.assign(this, { azimuth: 0.6, polar: 0.95, distance: 1.15, redraw, faces: [] });
    let last = null;
    draggable(canvas, WIDE, HIGH, (place, _, first) => {
      if (!first) this.turn((last[0] - place[0]) / 120, (last[1] - place[1]) / 160);
      last = place;
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !canvas.matches(":focus")) return; // the page scrolls
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.1 : 1 / 1.1);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const turns = { ArrowLeft: [0.12, 0], ArrowRight: [-0.12, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (turns[event.key]) this.turn(...turns[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1 / 1.15);
    else if (event.key === "-") this.zoom(1.15);
    else return;
    event.preventDefault();
  }

  turn(azimuth, polar) {
    this.azimuth += azimuth;
    this.polar = Math.min(1.5, Math.max(0.05, this.polar + polar));
    this.redraw();
  }

  zoom(factor) {
    this.distance = Math.min(2.5, Math.max(0.25, this.distance * factor));
    this.redraw();
  }

  /** scene: {vertices, faces, colours, board: [[x, y, z] x 4], centre}. */
  setScene(scene) {
    this.centre = scene.centre;
    this.board = scene.board;
    this.faces = [];
    for (let i = 0; i < scene.faces.length; i += 3) {
      const points = [0, 1, 2].map((k) => Array.from(scene.vertices.subarray(3 * scene.faces[i + k], 3 * scene.faces[i + k] + 3)));
      const edges = [1, 2].map((k) => points[k].map((x, j) => x - points[0][j]));
      const raw = cross(...edges), size = Math.hypot(...raw);
      if (size < 1e-12) continue;
      const normal = raw.map((x) => x / size), lit = 0.62 + 0.38 * normal.reduce((sum, x, j) => sum + x * LIGHT[j], 0);
      const rgb = Array.from(scene.colours.subarray(i, i + 3), (c) => Math.round(Math.min(255, c * lit)));
      this.faces.push({ points, normal, fill: css(rgb) });
    }
  }

  camera() {
    const { azimuth: a, polar: p, distance: d, centre: c } = this;
    const out = [Math.sin(p) * Math.cos(a), Math.sin(p) * Math.sin(a), Math.cos(p)];
    const right = [-Math.sin(a), Math.cos(a), 0], back = out, down = cross(back.map((x) => -x), right);
    const eye = c.map((x, i) => x + d * out[i]);
    const rows = [0, 1, 2].map((i) => [right[i], down[i], -back[i], eye[i]]);
    this.eye = eye;
    return new Camera([620, 0, WIDE / 2, 0, 620, HIGH / 2, 0, 0, 1], [...rows.flat(), 0, 0, 0, 1]);
  }

  /** shown: {sides: [{candidates, path, colour, shape}], gripper, queries, ink}. */
  draw({ sides, gripper, queries, ink }) {
    const context = prepared(this.canvas, WIDE, HIGH);
    if (!this.centre) return;
    const camera = this.camera(), items = [];
    this.polygon(context, camera, this.board, css([150, 152, 158]), 0);
    for (const { points, normal, fill } of this.faces) {
      const towards = normal.reduce((sum, x, i) => sum + x * (this.eye[i] - points[0][i]), 0);
      if (towards > 0) items.push(this.faceItem(context, camera, points, fill));
    }
    for (const side of sides) {
      for (const { pose, share, path } of side.candidates) {
        const colour = css(colourOf(share));
        this.lines(items, context, camera, [path], side.colour, 1.2);
        this.lines(items, context, camera, gripperAt(pose, 0.45), colour, 2.2);
        this.mark(items, context, camera, path.at(-1) ?? [pose[3], pose[7], pose[11]], side);
      }
      this.lines(items, context, camera, [side.path], side.colour, 3);
      if (side.moving) this.lines(items, context, camera, gripperAt(side.moving), side.colour, 3, PIECE);
    }
    this.lines(items, context, camera, gripperAt(gripper), ink, 4, PIECE);
    for (const q of queries) this.mark(items, context, camera, placed(gripper, q), { colour: ink, shape: "circle" });
    items.sort((a, b) => b.depth - a.depth).forEach((item) => item.draw());
  }

  faceItem(context, camera, points, fill) {
    const depth = points.reduce((sum, p) => sum + camera.project(p)[2], 0) / 3;
    return { depth, draw: () => this.polygon(context, camera, points, fill, 0.7) };
  }

  polygon(context, camera, points, fill, rim) {
    context.beginPath();
    points.forEach((p, i) => {
      const [x, y] = camera.project(p);
      if (i) context.lineTo(x, y);
      else context.moveTo(x, y);
    });
    context.closePath();
    context.fillStyle = context.strokeStyle = fill;
    context.fill();
    if (!rim) return;
    context.lineWidth = rim; // closes the seams between neighbours
    context.stroke();
  }

  lines(items, context, camera, lines, colour, width, piece = Infinity) {
    for (const line of lines) {
      for (let i = 1; i < line.length; i++) {
        const length = Math.hypot(...line[i].map((x, k) => x - line[i - 1][k])), n = Math.max(1, Math.ceil(length / piece));
        const between = (t) => line[i - 1].map((x, k) => x + t * (line[i][k] - x));
        for (let k = 0; k < n; k++) {
          const [a, b] = [camera.project(between(k / n)), camera.project(between((k + 1) / n))];
          items.push({ depth: (a[2] + b[2]) / 2, draw: () => this.segment(context, a, b, colour, width) });
        }
      }
    }
  }

  segment(context, a, b, colour, width) {
    context.beginPath();
    context.moveTo(a[0], a[1]);
    context.lineTo(b[0], b[1]);
    context.lineCap = "round";
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }

  /** Circles and squares tell the two sides from each other without colour. */
  mark(items, context, camera, point, { colour, shape }) {
    const [x, y, depth] = camera.project(point);
    items.push({
      depth: depth - 0.002,
      draw: () => {
        context.beginPath();
        if (shape === "square") context.rect(x - 3, y - 3, 6, 6);
        else context.arc(x, y, 3, 0, 2 * Math.PI);
        context.fillStyle = colour;
        context.strokeStyle = "white";
        context.lineWidth = 1;
        context.fill();
        context.stroke();
      },
    });
  }
}
