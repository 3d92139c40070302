// What several views draw with: colours, cameras, the gripper.

import { placed } from "./poses.js";

// Dark is high, as in the figures: ten steps of matplotlib's "YlGnBu", which keep their order without colour.
const MAP = [
  [255, 255, 217], [239, 249, 189], [213, 238, 179], [169, 221, 183], [115, 201, 189],
  [69, 180, 194], [40, 151, 191], [35, 116, 178], [36, 77, 160], [8, 29, 88],
];

/** Colour (three bytes) of a share in [0, 1]. */
export function colourOf(share) {
  const x = Math.min(1, Math.max(0, share)) * (MAP.length - 1), i = Math.min(MAP.length - 2, Math.floor(x));
  return MAP[i].map((a, k) => Math.round(a + (x - i) * (MAP[i + 1][k] - a)));
}

export const css = (rgb, alpha = 1) => `rgba(${rgb.join(",")},${alpha})`;

// The open gripper as lines in the TCP's frame, metres: z is the approach, x the closing direction. The TCP lies 15 mm
// behind the fingertips (dgrasp/cell/gripper.py); the opening is drawn as 100 mm, what the oracle grasps at most.
const TIP = 0.015, ROOT = -0.055, WRIST = -0.1, HALF = 0.05;
export const GRIPPER = [
  [[-HALF, 0, TIP], [-HALF, 0, ROOT], [HALF, 0, ROOT], [HALF, 0, TIP]],
  [[0, 0, ROOT], [0, 0, WRIST]],
];

/** The gripper's lines in the world. scale: of its size. */
export const gripperAt = (T, scale = 1) => GRIPPER.map((line) => line.map((p) => placed(T, p.map((x) => scale * x))));

/** A pinhole camera: K (9 numbers) in pixels, T_world_cam (16 numbers). */
export class Camera {
  constructor(K, T) {
    this.K = K;
    this.T = T;
  }

  /** Pixel and depth of a world point: [u, v, depth]. */
  project([x, y, z]) {
    const T = this.T, d = [x - T[3], y - T[7], z - T[11]];
    const [a, b, c] = [0, 1, 2].map((k) => T[k] * d[0] + T[4 + k] * d[1] + T[8 + k] * d[2]);
    const depth = Math.max(c, 1e-6);
    return [this.K[2] + (this.K[0] * a) / depth, this.K[5] + (this.K[4] * b) / depth, c];
  }

  /** Where the ray of a pixel meets a horizontal plane (metres), or null if it does not. */
  onPlane([u, v], z) {
    const T = this.T, local = [(u - this.K[2]) / this.K[0], (v - this.K[5]) / this.K[4], 1];
    const ray = [0, 4, 8].map((r) => T[r] * local[0] + T[r + 1] * local[1] + T[r + 2] * local[2]);
    const t = (z - T[11]) / ray[2];
    return t > 0 && Number.isFinite(t) ? [T[3] + t * ray[0], T[7] + t * ray[1], z] : null;
  }
}

/** Draw a line through points [x, y, ...] of the canvas, with a pale rim that keeps it visible on any ground. */
export function stroke(context, points, colour, width, rim = 0) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.lineJoin = context.lineCap = "round";
  if (rim) {
    context.strokeStyle = "rgba(255,255,255,0.85)";
    context.lineWidth = width + rim;
    context.stroke();
  }
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** An arrow from one point of the canvas to another. */
export function arrow(context, from, to, colour, width, rim = 0, head = 4 + 2 * width) {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  const side = (turn) => [to[0] - head * Math.cos(angle + turn), to[1] - head * Math.sin(angle + turn)];
  stroke(context, [from, to], colour, width, rim);
  stroke(context, [side(0.45), to, side(-0.45)], colour, width, rim);
}

/** A dot with a pale rim. */
export function dot2(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.strokeStyle = "white";
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}

/** Values on a grid (rows upwards) as a small canvas with a pixel for each, to be drawn larger: {canvas, range}. */
export function shaded(values, grid) {
  const low = Math.min(...values), high = Math.max(...values), image = new ImageData(grid, grid);
  values.forEach((value, i) => {
    const row = grid - 1 - Math.floor(i / grid), rgb = colourOf((value - low) / (high - low || 1));
    image.data.set([...rgb, 255], 4 * (row * grid + (i % grid)));
  });
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = grid;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return { canvas, range: [low, high] };
}

/** A canvas that is as sharp as the screen, with coordinates of `width` x `height`; returns its context, cleared. */
export function prepared(canvas, width, height) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Where a pointer event lies in the coordinates of a canvas of `width` x `height`. */
export function placeOn(canvas, event, width, height) {
  const r = canvas.getBoundingClientRect();
  return [((event.clientX - r.left) * width) / r.width, ((event.clientY - r.top) * height) / r.height];
}

/** Call `move(place, event)` while a pointer is down on the canvas, and `end()` when it is let go. */
export function draggable(canvas, width, height, move, end = () => {}) {
  let down = false;
  canvas.addEventListener("pointerdown", (event) => {
    down = true;
    canvas.setPointerCapture(event.pointerId);
    move(placeOn(canvas, event, width, height), event, true);
  });
  canvas.addEventListener("pointermove", (event) => down && move(placeOn(canvas, event, width, height), event, false));
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (down) end();
      down = false;
    });
  }
}

/** A colour of the page's style sheet. */
export const styled = (element, name) => getComputedStyle(element).getPropertyValue(name).trim();
