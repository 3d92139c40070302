// A worker that trains the value in the plane, and shows how it goes.

import { GOOD, PlaneNetwork } from "./plane_network.js";

const STEPS = 400; // as notebook 00
const GRID = 61, WALKERS = 40, CLIMB = 60, EVERY = 20, REACHED = 0.1;
let turn = 0;

self.onmessage = async ({ data: { weight, seed } }) => {
  const mine = ++turn, network = new PlaneNetwork(seed);
  for (let step = 0; step <= STEPS; step++) {
    if (step % EVERY === 0) {
      await new Promise((resume) => setTimeout(resume)); // a newer message may stop this training
      if (mine !== turn) return;
      const paths = network.climb(WALKERS, CLIMB);
      const arrived = paths.filter((path) => Math.hypot(...path.at(-1).map((x, i) => x - GOOD[i])) < REACHED).length;
      self.postMessage({ step, of: STEPS, values: network.values(GRID), grid: GRID, paths, arrived: arrived / WALKERS, weight });
    }
    network.train(weight);
  }
};
