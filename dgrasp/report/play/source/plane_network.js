// A value of two coordinates, learnt with and without its slopes: dgrasp/examples/plane.py, with derivatives by hand.
//
// y = w3 . elu(W2 elu(W1 code(p) + b1) + b2) + b3. L_aux needs the weights' gradient of a loss on the slope g = dy/dp.
// With v = dL/dg it is the gradient of the derivative of y along v, which `along` computes and takes back.

import { normalFrom, randomFrom } from "./poses.js";

const OCTAVES = 5, WIDTH = 64, CODE = 4 * OCTAVES;
export const GOOD = [0.45, 0.3];
const NEGATIVES = 63, NEAR = 64, NOISE = 0.05; // samples of a step, as in Python
const RATE = 3e-3, BETAS = [0.9, 0.999];

/** Sines and cosines of pi 2^k p, and their derivatives; coordinate by coordinate. */
function codeOf(p) {
  const code = new Float64Array(CODE), slope = new Float64Array(CODE);
  for (let d = 0; d < 2; d++) {
    for (let k = 0; k < OCTAVES; k++) {
      const rate = Math.PI * 2 ** k, s = d * 2 * OCTAVES + k, c = s + OCTAVES;
      code[s] = Math.sin(rate * p[d]);
      code[c] = Math.cos(rate * p[d]);
      slope[s] = rate * code[c];
      slope[c] = -rate * code[s];
    }
  }
  return { code, slope };
}

const SHAPES = { W1: WIDTH * CODE, b1: WIDTH, W2: WIDTH * WIDTH, b2: WIDTH, w3: WIDTH, b3: 1 };
const zeros = () => Object.fromEntries(Object.entries(SHAPES).map(([name, n]) => [name, new Float64Array(n)]));

/** y = W x + b */
function affine(W, b, x) {
  const y = b ? Float64Array.from(b) : new Float64Array(W.length / x.length), n = x.length;
  for (let i = 0; i < y.length; i++) {
    let sum = y[i];
    for (let j = 0; j < n; j++) sum += W[i * n + j] * x[j];
    y[i] = sum;
  }
  return y;
}

/** x = W^T g */
function transposed(W, g, n) {
  const x = new Float64Array(n);
  for (let i = 0; i < g.length; i++) for (let j = 0; j < n; j++) x[j] += W[i * n + j] * g[i];
  return x;
}

function addOuter(total, g, x) {
  const n = x.length;
  for (let i = 0; i < g.length; i++) for (let j = 0; j < n; j++) total[i * n + j] += g[i] * x[j];
}

function add(total, g) {
  for (let i = 0; i < g.length; i++) total[i] += g[i];
}

/** f of each number of a; a plain loop is several times as fast as `map` of typed arrays. */
function each(a, f) {
  const y = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) y[i] = f(a[i], i);
  return y;
}

const elu = (z) => (z > 0 ? z : Math.exp(z) - 1);
const eluSlope = (z) => (z > 0 ? 1 : Math.exp(z));
const eluCurve = (z) => (z > 0 ? 0 : Math.exp(z));

/** The network, its training by L_main + weight L_aux, and points that climb it. */
export class PlaneNetwork {
  constructor(seed) {
    this.random = randomFrom(seed);
    this.weights = zeros();
    for (const [name, inputs] of [["W1", CODE], ["b1", CODE], ["W2", WIDTH], ["b2", WIDTH], ["w3", WIDTH], ["b3", WIDTH]]) {
      const reach = 1 / Math.sqrt(inputs); // torch's initial weights of a linear layer
      this.weights[name].forEach((_, i, w) => (w[i] = reach * (2 * this.random() - 1)));
    }
    this.mean = zeros();
    this.square = zeros();
    this.steps = 0;
    this.paths = demonstrations(24, this.random);
  }

  forward(p) {
    const { W1, b1, W2, b2, w3, b3 } = this.weights, { code, slope } = codeOf(p);
    const z1 = affine(W1, b1, code), a1 = each(z1, elu), z2 = affine(W2, b2, a1), a2 = each(z2, elu);
    return { code, slope, z1, a1, z2, a2, y: a2.reduce((sum, a, i) => sum + a * w3[i], b3[0]) };
  }

  /** Value and slope at a point. */
  at(p) {
    const f = this.forward(p), { W1, W2, w3 } = this.weights;
    const g2 = each(f.z2, (z, i) => w3[i] * eluSlope(z));
    const g1 = each(transposed(W2, g2, WIDTH), (g, i) => g * eluSlope(f.z1[i]));
    const gx = transposed(W1, g1, CODE), slope = [0, 0];
    gx.forEach((g, i) => (slope[Math.floor(i / (2 * OCTAVES))] += g * f.slope[i]));
    return { ...f, slope, codeSlope: f.slope };
  }

  /** Add the weights' gradient of `share` times the value at a point. */
  backward(f, share, total) {
    const { W2, w3 } = this.weights;
    add(total.w3, each(f.a2, (a) => share * a));
    total.b3[0] += share;
    const g2 = each(f.z2, (z, i) => share * w3[i] * eluSlope(z));
    addOuter(total.W2, g2, f.a1);
    add(total.b2, g2);
    const g1 = each(transposed(W2, g2, WIDTH), (g, i) => g * eluSlope(f.z1[i]));
    addOuter(total.W1, g1, f.code);
    add(total.b1, g1);
  }

  /** Add the weights' gradient of the value's derivative along v at a point. */
  along(f, v, total) {
    const { W1, W2, w3 } = this.weights;
    const dx = each(f.codeSlope, (s, i) => s * v[Math.floor(i / (2 * OCTAVES))]);
    const d1 = affine(W1, null, dx), e1 = each(d1, (d, i) => d * eluSlope(f.z1[i]));
    const d2 = affine(W2, null, e1), e2 = each(d2, (d, i) => d * eluSlope(f.z2[i]));
    add(total.w3, e2);
    const of_d2 = each(d2, (_, i) => w3[i] * eluSlope(f.z2[i]));
    const of_z2 = each(d2, (d, i) => w3[i] * d * eluCurve(f.z2[i]));
    addOuter(total.W2, of_d2, e1);
    addOuter(total.W2, of_z2, f.a1);
    add(total.b2, of_z2);
    const of_e1 = transposed(W2, of_d2, WIDTH), of_a1 = transposed(W2, of_z2, WIDTH);
    const of_d1 = each(of_e1, (g, i) => g * eluSlope(f.z1[i]));
    const of_z1 = each(of_e1, (g, i) => g * d1[i] * eluCurve(f.z1[i]) + of_a1[i] * eluSlope(f.z1[i]));
    addOuter(total.W1, of_d1, dx);
    addOuter(total.W1, of_z1, f.code);
    add(total.b1, of_z1);
  }

  /** L_main and its gradient: cross-entropy of the good action against random ones. */
  mainLoss(points, total) {
    const all = points.map((p) => this.forward(p)), top = Math.max(...all.map(({ y }) => y));
    const sum = all.reduce((s, { y }) => s + Math.exp(y - top), 0);
    all.forEach((f, i) => this.backward(f, Math.exp(f.y - top) / sum - (i === 0 ? 1 : 0), total));
    return Math.log(sum) + top - all[0].y;
  }

  /** weight * L_aux and its gradient: minus the mean cosine of slope and displacement. */
  slopeLoss(points, targets, weight, total) {
    let loss = 0;
    points.forEach((p, k) => {
      const f = this.at(p), delta = targets[k].map((x, i) => x - p[i]);
      const long = Math.hypot(...f.slope, 1e-6), way = Math.max(Math.hypot(...delta), 1e-6);
      const cosine = (f.slope[0] * delta[0] + f.slope[1] * delta[1]) / long / way, share = -weight / points.length;
      loss += share * cosine;
      this.along(f, [0, 1].map((i) => (share * (delta[i] / way - (cosine * f.slope[i]) / long)) / long), total);
    });
    return loss;
  }

  /** One step of training; returns the loss. */
  train(weight) {
    const { random } = this, total = zeros(), anywhere = () => [2 * random() - 1, 2 * random() - 1];
    let loss = this.mainLoss([GOOD, ...Array.from({ length: NEGATIVES }, anywhere)], total);
    if (weight > 0) {
      const points = [], targets = [];
      for (let k = 0; k < NEAR; k++) {
        const path = this.paths[Math.floor(random() * this.paths.length)], t = Math.floor(random() * (path.length - 2));
        points.push(path[t].map((x) => x + NOISE * normalFrom(random)));
        targets.push(path[t + 2]);
      }
      loss += this.slopeLoss(points, targets, weight, total);
    }
    this.adam(total);
    return loss;
  }

  adam(total) {
    this.steps += 1;
    const [first, second] = BETAS.map((beta) => 1 - beta ** this.steps);
    for (const name of Object.keys(SHAPES)) {
      const [w, g, m, s] = [this.weights[name], total[name], this.mean[name], this.square[name]];
      for (let i = 0; i < w.length; i++) {
        m[i] = BETAS[0] * m[i] + (1 - BETAS[0]) * g[i];
        s[i] = BETAS[1] * s[i] + (1 - BETAS[1]) * g[i] * g[i];
        w[i] -= (RATE * m[i]) / first / (Math.sqrt(s[i] / second) + 1e-8);
      }
    }
  }

  /** Paths of points that climb with Adam from random places. */
  climb(walkers, steps, rate = 0.05) {
    const random = randomFrom(7); // the same starts every time, so that pictures can be compared
    return Array.from({ length: walkers }, () => {
      const path = [[2 * random() - 1, 2 * random() - 1]], m = [0, 0], s = [0, 0];
      for (let k = 1; k <= steps; k++) {
        const { slope } = this.at(path.at(-1));
        path.push(path.at(-1).map((x, i) => {
          m[i] = BETAS[0] * m[i] + (1 - BETAS[0]) * slope[i];
          s[i] = BETAS[1] * s[i] + (1 - BETAS[1]) * slope[i] * slope[i];
          return x + (rate * m[i]) / (1 - BETAS[0] ** k) / (Math.sqrt(s[i] / (1 - BETAS[1] ** k)) + 1e-8);
        }));
      }
      return path;
    });
  }

  /** Values on a grid of the square, rows upwards. */
  values(grid) {
    const at = (i) => (2 * i) / (grid - 1) - 1;
    return Array.from({ length: grid * grid }, (_, k) => this.forward([at(k % grid), at(Math.floor(k / grid))]).y);
  }
}

/** Curved paths from random places to the good action. */
function demonstrations(n, random, steps = 24) {
  return Array.from({ length: n }, () => {
    const start = [2 * random() - 1, 2 * random() - 1], way = GOOD.map((x, i) => x - start[i]), side = [-way[1], way[0]];
    return Array.from({ length: steps }, (_, k) => {
      const t = k / (steps - 1), bend = 0.35 * Math.sin(Math.PI * t);
      return start.map((x, i) => x + t * way[i] + bend * side[i]);
    });
  });
}
