// Adam climbs a landscape from many poses at once: dgrasp/slopes/climb.py, one step at a time.

import { REPRESENTATIONS } from "./poses.js";

const BETA = [0.9, 0.999], EPS = 1e-8; // torch.optim.Adam's
const PARTS = { seq: [["translation"], ["rotation"]], sync: [["translation", "rotation"]] };

/**
 * Yields {step, poses, scores, climbing} before the first step and after each; poses that were dropped stand still.
 *
 * evaluate: (poses (12 n), slopes) -> {scores, slopes}, possibly later. starts: poses. settings: as OptimizerConfig.
 * bounds: low and high corner, metres. scores are those before the step (at the end: of the final poses).
 */
export async function* climb(evaluate, starts, settings, representation, schedule, bounds) {
  const candidates = new Candidates(starts, settings, REPRESENTATIONS[representation], bounds);
  const pruning = pruningByStep(settings, PARTS[schedule].length);
  let step = 0;
  yield { step, ...candidates.shown() };
  for (const parts of PARTS[schedule]) {
    candidates.begin(parts);
    for (let k = 0; k < settings.steps; k++) {
      if (step === 0 && pruning.has(0)) candidates.drop((await evaluate(candidates.poses(), false)).scores, pruning.get(0));
      const { scores, slopes } = await evaluate(candidates.poses(), true);
      candidates.ascend(slopes, k);
      step += 1;
      candidates.note(scores);
      if (pruning.has(step)) candidates.drop(scores, pruning.get(step));
      yield { step, ...candidates.shown() };
    }
  }
  candidates.note((await evaluate(candidates.poses(), false)).scores);
  yield { step, ...candidates.shown(), done: true };
}

/** Step of the whole climb -> how many climb on after it; each phase may have steps of its own. */
function pruningByStep({ pruning = [], pruning_first: first = null, steps }, phases) {
  if (first === null || pruning.length === 0 || phases === 1) return new Map(pruning);
  const before = steps * (phases - 1);
  return new Map([...first.filter(([step]) => step <= before), ...pruning.map(([step, count]) => [step > 0 ? step + before : 0, count])]);
}

class Candidates {
  constructor(starts, settings, representation, bounds) {
    this.settings = settings;
    this.rep = representation;
    this.bounds = settings.clip_to_workspace ? bounds : null;
    this.all = starts.map((T) => this.rep.fromPose(T));
    this.climbing = starts.map((_, i) => i);
    this.scores = new Array(starts.length).fill(NaN);
  }

  poses() {
    return Float64Array.from(this.climbing.flatMap((i) => this.rep.toPose(this.all[i])));
  }

  shown() {
    return { poses: this.all.map((v) => this.rep.toPose(v)), scores: [...this.scores], climbing: [...this.climbing] };
  }

  /** A phase with an Adam of its own: only some coordinates move. */
  begin(parts) {
    this.moves = (i) => parts.includes(i < 3 ? "translation" : "rotation");
    this.mean = this.all.map((v) => v.map(() => 0));
    this.square = this.all.map((v) => v.map(() => 0));
  }

  /** One step; k counts within the phase. */
  ascend(slopes, k) {
    const s = this.settings, clip = s.gradient_clip ?? Infinity;
    const rates = [s.translation_rate * s.translation_decay ** k, s.rotation_rate * s.rotation_decay ** k];
    const [first, second] = BETA.map((beta) => 1 - beta ** (k + 1));
    this.climbing.forEach((i, row) => {
      const v = this.all[i], g = this.rep.slope(v, slopes.subarray(12 * row, 12 * row + 12));
      for (let j = 0; j < v.length; j++) {
        if (!this.moves(j)) continue;
        const slope = Math.min(clip, Math.max(-clip, g[j]));
        this.mean[i][j] = BETA[0] * this.mean[i][j] + (1 - BETA[0]) * slope;
        this.square[i][j] = BETA[1] * this.square[i][j] + (1 - BETA[1]) * slope * slope;
        v[j] += (rates[j < 3 ? 0 : 1] * this.mean[i][j]) / first / (Math.sqrt(this.square[i][j] / second) + EPS);
      }
      if (this.bounds) for (let j = 0; j < 3; j++) v[j] = Math.min(this.bounds[1][j], Math.max(this.bounds[0][j], v[j]));
      this.all[i] = this.rep.normalize(v);
    });
  }

  note(scores) {
    this.climbing.forEach((i, row) => (this.scores[i] = scores[row]));
  }

  /** Only the best `count` climb on. */
  drop(scores, count) {
    const order = this.climbing.map((i, row) => [scores[row], i]).sort((a, b) => b[0] - a[0]);
    this.climbing = order.slice(0, count).map(([, i]) => i).sort((a, b) => a - b);
  }
}
