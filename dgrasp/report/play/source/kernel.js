// The landscape of one model over one scene, computed by landscape.c: lays the weights and maps out in WebAssembly's
// memory and asks for scores and slopes. Knows nothing of workers or of the page.

import { arrayNamed, hasArray, unroundInto } from "./container.js";

const ACTIVATIONS = ["elu", "softplus", "silu", "relu"]; // the order of landscape.c
const POSES_AT_ONCE = 4; // by measurement: all intermediate results of four poses stay in the processor's cache
const PAGE = 65536;

/** Memory of a WebAssembly instance, given away from its start to its end; `release` takes back all after a mark. */
class Memory {
  constructor(memory) {
    this.memory = memory;
    this.top = memory.buffer.byteLength;
  }

  take(bytes) {
    const at = (this.top + 15) & ~15;
    this.top = at + bytes;
    const missing = this.top - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  release(mark) {
    this.top = mark;
  }

  floats(n) {
    return this.take(4 * n);
  }

  view(Type, at, n) {
    return new Type(this.memory.buffer, at, n);
  }

  put(Type, values) {
    const at = this.take(Type.BYTES_PER_ELEMENT * values.length);
    this.view(Type, at, values.length).set(values);
    return at;
  }
}

const padded = (n) => (n + 3) & ~3;

/** Compiled landscape.c with the models and the scene that it was given. */
export class Kernel {
  constructor(module) {
    const math = { sin: Math.sin, cos: Math.cos, log1p: Math.log1p };
    this.instance = new WebAssembly.Instance(module, { math });
    this.memory = new Memory(this.instance.exports.memory);
    this.models = {};
    this.scene = null;
  }

  /** Keep a model's weights. file: as `readFile` gives it. */
  addModel(name, file) {
    if (this.scene) throw new Error("models come before the scene: scenes are laid out behind them");
    this.models[name] = { file, ...this.network(file) };
  }

  /** Forget the scene, and take another one. */
  setScene(file) {
    if (this.scene) this.memory.release(this.scene.mark);
    this.scene = { file, mark: this.memory.top, landscapes: {} };
    this.scene.cameras = this.cameras(file);
    for (const name of Object.keys(this.models)) this.scene.landscapes[name] = this.landscape(name);
  }

  /** Forget the scene; models may be added again. */
  clearScene() {
    if (this.scene) this.memory.release(this.scene.mark);
    this.scene = null;
  }

  /** Scores (n) and, if asked for, slopes (n * 12) of poses (n * 12: rows of the first three lines of T_world_tcp). */
  evaluate(name, poses, withSlopes) {
    const n = poses.length / 12, m = this.memory, mark = m.top;
    const T = m.put(Float64Array, Float32Array.from(poses)), scores = m.take(8 * n), slopes = withSlopes ? m.take(96 * n) : 0;
    this.instance.exports.evaluate(this.scene.landscapes[name], T, n, scores, slopes);
    const result = {
      scores: m.view(Float64Array, scores, n).slice(),
      slopes: withSlopes ? m.view(Float64Array, slopes, 12 * n).slice() : null,
    };
    m.release(mark);
    return result;
  }

  /** Weights of a file as structs of landscape.c. */
  network(file) {
    const { field } = file.facts;
    const count = (kind, n) => Array.from({ length: n }, (_, k) => `${kind}.${k}`);
    const shared = count("shared", field.blocks_shared);
    return {
      position: this.layer(file, "position"),
      direction: this.layer(file, "direction"),
      rgb: this.layer(file, "rgb"),
      bias: this.memory.put(Float32Array, arrayNamed(file, "first.bias").data),
      perView: this.structs(count("per_view", field.blocks_per_view).map((name) => this.block(file, name))),
      shared: this.structs(shared.map((name) => this.block(file, name))),
      perActivation: this.structs(count("per_activation", 1 + shared.length).map((name) => this.layer(file, name))),
      perQuery: this.layer(file, "per_query"),
      wide: this.block(file, "wide"),
      narrow: this.block(file, "narrow"),
      logit: this.layer(file, "logit"),
      points: this.memory.put(Float64Array, file.arrays.points.data),
      directions: this.memory.put(Float64Array, file.arrays.directions.data),
    };
  }

  /** struct layer {to, back, bias, inputs, outputs}: both layouts of a matrix, padded to multiples of 4. */
  layer(file, name) {
    const { data, shape: [outputs, inputs] } = arrayNamed(file, name);
    const n = padded(outputs), k = padded(inputs), m = this.memory;
    const to = m.floats(n * k), back = m.floats(n * k), bias = m.floats(n);
    const [a, b, c] = [m.view(Float32Array, to, n * k), m.view(Float32Array, back, n * k), m.view(Float32Array, bias, n)];
    a.fill(0), b.fill(0), c.fill(0);
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) a[i * n + o] = b[o * k + i] = data[o * inputs + i];
    }
    if (hasArray(file, `${name}.bias`)) c.set(arrayNamed(file, `${name}.bias`).data);
    return [to, back, bias, k, n];
  }

  /** struct block {inner, outer, shortcut}. */
  block(file, name) {
    const shortcut = hasArray(file, `${name}.shortcut`) ? this.layer(file, `${name}.shortcut`) : [0, 0, 0, 0, 0];
    return [...this.layer(file, `${name}.inner`), ...this.layer(file, `${name}.outer`), ...shortcut];
  }

  structs(rows) {
    return this.memory.put(Int32Array, rows.flat());
  }

  /** struct camera {K, T_cam_world, features, rgb} of every image of a scene. */
  cameras(file) {
    const m = this.memory, { rgb, K, Ts_world_cam: Ts } = file.arrays;
    const [views, mapHeight, mapWidth, hidden] = file.facts.rounded.features, [, height, width] = rgb.shape;
    const size = mapHeight * mapWidth * hidden, pixels = height * width * 3;
    const features = m.floats(views * size), colours = m.floats(views * pixels);
    unroundInto(file, "features", m.view(Float32Array, features, views * size));
    const table = Float32Array.from({ length: 256 }, (_, i) => Math.fround(Math.fround(i / 255) * 2) - 1);
    m.view(Float32Array, colours, views * pixels).set(Array.from(rgb.data, (i) => table[i]));
    const rows = Array.from({ length: views }, (_, v) => [
      m.put(Float64Array, K.data.subarray(9 * v, 9 * v + 9)),
      m.put(Float64Array, inverted(Ts.data.subarray(16 * v, 16 * v + 16))),
      features + 4 * size * v,
      colours + 4 * pixels * v,
    ]);
    return { at: this.structs(rows), views, height, width, mapHeight, mapWidth, hidden };
  }

  /** struct landscape of a model over the present scene. */
  landscape(name) {
    const { file, ...net } = this.models[name], { field, readout, fusion } = file.facts, c = this.scene.cameras;
    const index = (activation) => ACTIVATIONS.indexOf(activation);
    const last = readout.last_activation === "same" ? readout.activation : readout.last_activation;
    const views = fusion === "network" ? c.views : 1;
    return this.structs([[
      c.views, views, c.height, c.width, c.mapHeight, c.mapWidth, file.facts.stride,
      field.hidden, field.blocks_per_view, field.blocks_shared, field.position_frequencies, field.direction_frequencies,
      Number(field.frame === "camera"), Number(field.directions === "moved"), file.facts.lines, file.facts.per_line,
      index(readout.activation), index(last), c.at, net.points, net.directions,
      ...net.position, ...net.direction, ...net.rgb, net.bias, net.perView, net.shared,
      net.perActivation, ...net.perQuery, ...net.wide, ...net.narrow, ...net.logit, this.scratch(file.facts, views),
    ]]);
  }

  /** struct scratch: room for a few poses. */
  scratch({ field, readout, lines, per_line: perLine }, views) {
    const poses = POSES_AT_ONCE, queries = lines * perLine, rows = poses * queries, all = rows * views, m = this.memory;
    const h = field.hidden, position = padded(6 * field.position_frequencies), direction = padded(6 * field.direction_frequencies);
    const mixed = (1 + field.blocks_shared) * readout.activation_features, query = readout.query_features;
    const wide = queries * query, inner = readout.trunk_hidden, out = readout.trunk_features;
    const widest = Math.max(inner, out);
    const sizes = [
      all * position, views * poses * lines * direction, poses * lines * h, rows * 4, all * h, rows * h,
      field.blocks_per_view * all * h, field.blocks_per_view * all * h,
      field.blocks_shared * rows * h, field.blocks_shared * rows * h,
      rows * mixed, rows * mixed, rows * query, rows * query,
      poses * wide, poses * wide, poses * inner, poses * inner,
      poses * out, poses * out, poses * widest, poses * widest,
      poses * out, poses * out, poses * out, poses * widest, poses * widest,
      rows * position, poses * lines * direction,
    ];
    return this.structs([[poses, m.take(24 * all), m.take(16 * all), ...sizes.map((n) => m.floats(n))]]);
  }
}

/** The first three rows of the inverse of a rigid transform (16 numbers). */
function inverted(T) {
  const rows = [];
  for (let i = 0; i < 3; i++) {
    const r = [T[i], T[4 + i], T[8 + i]];
    rows.push(...r, -(r[0] * T[3] + r[1] * T[7] + r[2] * T[11]));
  }
  return rows;
}
