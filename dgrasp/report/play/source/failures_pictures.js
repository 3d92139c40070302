// Pictures of an attempt: what the policy saw with the grasp that it chose, and the last moments of the trial's phases.

import { FileProblem, inflate, readFile } from "./container.js";
import { h } from "./controls.js";
import { Camera, gripperAt, prepared, stroke } from "./draw.js";

const WIDTH = 512; // of a canvas' coordinates: the gripper is drawn sharper than the picture
const KEPT = 8; // sheets in memory
const PHASES = {
  travel: "on the way", approach: "at the grasp, before closing", close: "closed", lift: "lifting",
  hold: "held up", home: "at home",
};

/** Sheets by name, as dgrasp/report/failures/sheets.py writes them: {attempts, picture}. */
export class Sheets {
  constructor(load) {
    this.load = load;
    this.kept = new Map();
  }

  async get(name) {
    if (!this.kept.has(name)) this.kept.set(name, this.read(name));
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    try {
      return await this.kept.get(name);
    } catch (error) {
      this.kept.delete(name); // it may arrive another time
      throw error;
    }
  }

  async read(name) {
    const { facts, arrays } = readFile(await inflate(await this.load("sheet", name)), "sheet");
    if (!arrays.sheet) return { attempts: facts.attempts, picture: null };
    try {
      return { attempts: facts.attempts, picture: await createImageBitmap(new Blob([arrays.sheet.data], { type: "image/webp" })) };
    } catch (error) {
      throw new FileProblem(`the pictures of ${name} cannot be drawn by this browser, or are damaged`);
    }
  }
}

/** A part of a sheet on a canvas of its own; draw: more, with a context in coordinates of WIDTH. */
function tile(picture, [x, y, width, height], label, draw = () => {}) {
  const canvas = h("canvas", { role: "img", "aria-label": label, style: `aspect-ratio: ${width} / ${height}` });
  const context = prepared(canvas, WIDTH, Math.round((WIDTH * height) / width));
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, x, y, width, height, 0, 0, WIDTH, (WIDTH * height) / width);
  draw(context);
  return canvas;
}

const figure = (canvas, text) => h("figure", {}, canvas, h("figcaption", {}, text));

/** Figures of what the policy saw. camera: {K, Ts} in the pictures' pixels; T: three rows of the grasp, or null. */
export function viewsOf({ picture }, { views }, camera, T, colour) {
  return views.map((place, k) => {
    const zoom = WIDTH / place[2], where = T ? "the chosen grasp drawn in it" : "no grasp was chosen";
    const eye = new Camera(camera.K, camera.Ts[k]);
    const draw = (context) => {
      for (const line of T ? gripperAt(T) : []) {
        stroke(context, line.map((p) => eye.project(p).slice(0, 2).map((x) => zoom * x)), colour, 4, 3);
      }
    };
    const text = `Camera ${k + 1}, ${where}`;
    return figure(tile(picture, place, text, draw), text);
  });
}

/** Figures of the trial. */
export function framesOf({ picture }, { frames }, outcome) {
  return frames.map(([phase, place], k) => {
    const last = k === frames.length - 1 ? `: ${outcome}` : "";
    const text = `Trial, ${PHASES[phase] ?? phase}${last}`;
    return figure(tile(picture, place, text), text);
  });
}
