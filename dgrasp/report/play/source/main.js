// Entry: the explorer in a notebook (anywidget calls `render`) and in a page (`mount`).
//
// A supply says what there is and loads it:
//   catalogue  {scenes: [{id, title}], models: [{id, title}], policies: {id: {title, schedule, representation,
//              optimizer}}, bounds: [low, high], first: {scene, models, policy}}
//   load       (kind, id) -> bytes of a model's or a scene's file, as dgrasp/report/play/export.py writes it
//   still      address of a picture for browsers that cannot compute, or null

import { askingOnce, decoded, FileProblem, inflate, lacking, readFile } from "./container.js";
import { h } from "./controls.js";
import { Explorer } from "./explorer.js";
import { isAbort } from "./landscape.js";
import { Panel } from "./panel.js";
import { planeSection } from "./plane.js";
import { Pool } from "./pool.js";
import { drawnScene } from "./scene.js";

const WANTED = {
  WebAssembly: "WebAssembly", Worker: "Web Workers", DecompressionStream: "DecompressionStream (browsers of 2023 and later)",
  createImageBitmap: "createImageBitmap",
};

/** The explorer in `element`; resolves when the first scene can be played. Returns {close, explorer}. */
export async function mount(element, supply) {
  element.classList.add("dgp");
  const lacks = lacking(WANTED);
  if (lacks.length) return instead(element, supply, `This browser has no ${lacks.join(", no ")}, which computing here needs.`);
  const app = new App(element, supply);
  await app.start();
  return app;
}

/** A message, and the static picture. */
function instead(element, { still }, text) {
  const picture = still ? [h("img", { src: still, alt: "Two landscapes round a grasp, Base and dGrasp, as a still picture" })] : [];
  element.replaceChildren(h("p", { class: "dgp-status dgp-wrong", role: "alert" }, text), ...picture);
  return { close: () => {} };
}

class App {
  constructor(element, supply) {
    this.element = element;
    this.queries = {};
    this.asked = { model: 0, scene: 0 }; // how often: an answer to an earlier wish is dropped
    this.supply = {
      ...supply,
      titleOf: (model) => supply.catalogue.models.find(({ id }) => id === model)?.title ?? model,
      queriesOf: (model) => this.queries[model] ?? [],
    };
    this.pool = new Pool(WORKER_SOURCE, decoded(WASM));
    this.explorer = new Explorer(this.supply, this.pool, () => this.panel?.follow());
    this.panel = new Panel(this.explorer, this.supply, (id) => this.loadScene(id), (models) => this.loadModels(models));
    this.explorer.onError = (error) => this.failed(error);
    this.followTheme();
  }

  /** What is drawn has the theme's colours: of the system, or as page and notebook choose it. */
  followTheme() {
    const recolour = () => this.explorer.draw(), system = matchMedia("(prefers-color-scheme: dark)");
    const chosen = new MutationObserver(recolour);
    system.addEventListener("change", recolour);
    chosen.observe(document.body, { attributeFilter: ["class", "data-theme", "data-jp-theme-light"] });
    this.leaveTheme = () => (system.removeEventListener("change", recolour), chosen.disconnect());
  }

  async start() {
    const { panel, explorer } = this, { first } = this.supply.catalogue;
    const sides = h("div", { class: "dgp-sides" }, ...explorer.sides.map((side) => side.element));
    const space = h("section", { class: "dgp-side" }, h("h2", {}, "The same scene, turned by hand"), explorer.spaceElement,
      h("p", { class: "dgp-note" }, "Squares: the left model’s candidates. Circles: the right model’s. Black or white: the gripper that you move. " +
        "The wheel changes the distance with Ctrl held, or after a click into the scene."));
    const plane = planeSection();
    this.plane = plane;
    this.element.replaceChildren(panel.bar, panel.acts, panel.status, sides, h("div", { class: "dgp-lower" }, space, panel.element), plane.element);
    try {
      await this.loadModels([first.models[0], first.models[1] ?? ""]);
      await this.loadScene(first.scene);
    } catch (error) {
      this.failed(error); // said already where a file is at fault
    }
    panel.firstLoaded();
  }

  /** Compressed bytes -> {buffer, file}. */
  async fetched(kind, id) {
    const buffer = await inflate(await this.supply.load(kind, id));
    return { buffer, file: readFile(buffer, kind) };
  }

  async loadModels(models) {
    await this.trying("model", async (wanted) => {
      for (const id of models.filter((id) => id && !this.queries[id])) {
        const { buffer, file } = await this.fetched("model", id);
        await this.pool.addModel(id, buffer);
        const points = file.arrays.points.data;
        this.queries[id] = Array.from({ length: points.length / 3 }, (_, i) => Array.from(points.subarray(3 * i, 3 * i + 3)));
        this.phi = file.facts.phi;
      }
      if (!wanted()) return;
      models.forEach((id, i) => this.explorer.sides[i].model !== id && this.explorer.sides[i].setModel(id));
      this.element.classList.toggle("dgp-single", !models[1]);
      if (this.explorer.scene) this.explorer.settle();
    });
  }

  async loadScene(id) {
    await this.trying("scene", async (wanted) => {
      const { buffer, file } = await this.fetched("scene", id);
      if (!wanted()) return;
      if (file.facts.phi !== this.phi) {
        throw new FileProblem(`scene ${id}: made with Phi ${file.facts.phi}, the models read Phi ${this.phi}; export both again`);
      }
      const scene = await drawnScene(file);
      if (!wanted()) return;
      this.explorer.stop();
      await this.pool.setScene(buffer); // shown even if something else is wanted by now: the workers have it
      this.explorer.setScene(scene);
      this.panel.sceneShown(scene);
      if (wanted()) this.panel.say("Drag the gripper in a picture, or let it climb.");
    });
  }

  /** Load and show, act(wanted); wanted(): whether nothing else of the kind was chosen meanwhile. */
  async trying(what, act) {
    const number = ++this.asked[what], wanted = () => number === this.asked[what];
    this.panel.say(`Loading the ${what} …`);
    try {
      await act(wanted);
      if (what === "model" && wanted()) this.panel.say("");
    } catch (error) {
      if (wanted()) this.failed(error);
    }
  }

  failed(error) {
    if (isAbort(error)) return;
    this.panel.say(error instanceof FileProblem ? `This cannot be shown: ${error.message}.` : `Something unexpected: ${error.message}`, true);
    if (!this.explorer.scene && this.supply.still && !this.element.querySelector("img")) {
      this.panel.status.after(h("img", { src: this.supply.still, alt: "Two landscapes round a grasp, as a still picture" }));
    }
  }

  close() {
    this.leaveTheme();
    this.explorer.stop();
    this.pool.close();
    this.plane.close();
  }
}

/** For anywidget: files come from Python, when they are asked for. */
function render({ model, el }) {
  const waiting = new Map();
  model.on("msg:custom", (message, buffers) => {
    const { resolve, reject } = waiting.get(message.key) ?? {};
    waiting.delete(message.key);
    if (message.error) reject?.(new FileProblem(message.error));
    else resolve?.(new Uint8Array(buffers[0].buffer ?? buffers[0], buffers[0].byteOffset ?? 0, buffers[0].byteLength));
  });
  const load = askingOnce((kind, id) => new Promise((resolve, reject) => {
    const key = `${kind} ${id}`;
    waiting.set(key, { resolve, reject });
    model.send({ key, kind, id });
  }));
  const app = mount(el, { catalogue: model.get("catalogue"), load, still: model.get("still") || null });
  el.dgrasp = app;
  return () => app.then((one) => one.close());
}

export default { render };
