// The idea in a plane: two small networks learn while the visitor watches, one without slopes, one with as much of
// L_aux as the slider says.

import { button, h, slider } from "./controls.js";
import { dot2, prepared, shaded, stroke } from "./draw.js";

const PLANE = 320;
const STAR = [0.45, 0.3]; // the good action of plane_network.js

/** The section: {element, close}. Training begins when it is first seen. */
export function planeSection() {
  const left = new PlaneView("main loss only"), right = new PlaneView("main loss + weight × second loss");
  let weight = 1, seed = 0;
  const begin = () => {
    left.train(0, seed);
    right.train(weight, seed);
  };
  const control = slider("weight of the second loss (L_aux)", { min: 0, max: 2, step: 0.05, value: 1, show: (x) => x.toFixed(2) }, (x, settled) => {
    weight = x;
    if (settled) right.train(weight, seed);
  });
  const controls = h("div", { class: "dgp-bar" }, control.element, button("Train again, from other weights", () => (seed++, begin())));
  const element = h("section", { class: "dgp-plane" },
    h("h2", {}, "The idea in a plane"),
    h("p", {}, "Two small networks learn the same good action (the star) from one demonstrated action and random wrong ones. " +
      "The right one also learns that its slope points along demonstrated paths. Lines are 40 walkers that climb from random places."),
    controls, h("div", { class: "dgp-sides" }, left.element, right.element));
  const seen = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    seen.disconnect();
    begin();
  });
  seen.observe(element);
  return { element, close: () => (seen.disconnect(), left.close(), right.close()) };
}

class PlaneView {
  constructor(title) {
    this.canvas = h("canvas", { role: "img", class: "dgp-square", "aria-label": `Landscape of the network: ${title}` });
    this.says = h("p", { class: "dgp-says" }, "not trained yet");
    this.element = h("figure", { class: "dgp-side" }, h("figcaption", {}, title), this.canvas, this.says);
  }

  train(weight, seed) {
    if (!this.worker) {
      this.worker = new Worker(URL.createObjectURL(new Blob([PLANE_WORKER_SOURCE], { type: "text/javascript" })));
      this.worker.onmessage = ({ data }) => this.draw(data);
    }
    this.worker.postMessage({ weight, seed });
  }

  draw({ step, of, values, grid, paths, arrived }) {
    const context = prepared(this.canvas, PLANE, PLANE), half = PLANE / (grid - 1) / 2;
    const at = ([x, y]) => [((x + 1) / 2) * PLANE, ((1 - y) / 2) * PLANE];
    context.drawImage(shaded(values, grid).canvas, -half, -half, PLANE + 2 * half, PLANE + 2 * half);
    for (const path of paths) stroke(context, path.map(at), "#d95f02", 1.2, 0.8);
    dot2(context, at(STAR), 9, "#d7191c");
    context.fillStyle = "white";
    context.font = "14px sans-serif";
    context.textAlign = "center";
    context.fillText("★", at(STAR)[0], at(STAR)[1] + 5);
    this.says.textContent = `Step ${step} of ${of}: ${Math.round(100 * arrived)} % of the walkers end within 0.1 of the star.`;
  }

  close() {
    this.worker?.terminate();
  }
}
