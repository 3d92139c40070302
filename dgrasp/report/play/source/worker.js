// A worker: owns one instance of the kernel and answers one message after the other.

import { readFile } from "./container.js";
import { Kernel } from "./kernel.js";

let kernel = null;

const ANSWERS = {
  start({ wasm }) {
    kernel = new Kernel(new WebAssembly.Module(wasm));
    return {};
  },
  model({ name, buffer }) {
    const scene = kernel.scene?.file;
    kernel.clearScene();
    if (!kernel.models[name]) kernel.addModel(name, readFile(buffer, "model"));
    if (scene) kernel.setScene(scene);
    return {};
  },
  scene({ buffer }) {
    kernel.setScene(readFile(buffer, "scene"));
    return {};
  },
  evaluate({ model, poses, slopes }) {
    return kernel.evaluate(model, poses, slopes);
  },
};

self.onmessage = ({ data }) => {
  try {
    self.postMessage({ id: data.id, ...ANSWERS[data.what](data) });
  } catch (error) {
    self.postMessage({ id: data.id, error: error.message });
  }
};
