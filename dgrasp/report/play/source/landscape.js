// What the views ask of a landscape: the value under the gripper, a cut, a climb. Newer questions replace older ones.

import { climb } from "./climb.js";
import { poseAt, positionOf, slopeAtPose, slopeInCoordinates } from "./poses.js";

const ARROWS = 7; // to a side of a cut
const URGENT = 2, MOVING = 1, BACKGROUND = 0;

/** Questions about one model's landscape over the pool's present scene. */
export class Landscape {
  constructor(pool, model) {
    this.pool = pool;
    this.model = model;
    this.questions = {};
  }

  /** A signal that ends when the same kind of question is asked again. */
  begin(kind) {
    this.questions[kind]?.abort();
    this.questions[kind] = new AbortController();
    return this.questions[kind].signal;
  }

  stop() {
    for (const question of Object.values(this.questions)) question.abort();
  }

  stopClimb() {
    this.questions.climb?.abort();
  }

  /** {score, slope}: value of a pose, and its slope per metre (world's axes) and radian (the TCP's axes). */
  async under(T) {
    const signal = this.begin("under");
    const { scores, slopes } = await this.pool.evaluate(this.model, Float64Array.from(T), { urgency: URGENT, signal });
    return { score: scores[0], slope: slopeAtPose(T, slopes) };
  }

  /** Values on a grid of a cut: rows are the vertical axis. `cut`: {centre, axes, halfWidths, offsets}. */
  async cut(cut, grid) {
    const signal = this.begin("cut"), poses = [];
    for (let i = 0; i < grid; i++) {
      for (let j = 0; j < grid; j++) poses.push(...poseAt(cut.centre, coordinatesIn(cut, gridShare(j, grid), gridShare(i, grid))));
    }
    const { scores } = await this.pool.evaluate(this.model, Float64Array.from(poses), { slopes: false, urgency: BACKGROUND, signal });
    return Array.from(scores);
  }

  /** Slopes on few places of a cut: [{at, slope}], score per half width. */
  async arrows(cut) {
    const signal = this.begin("arrows"), places = [];
    for (let i = 0; i < ARROWS; i++) {
      for (let j = 0; j < ARROWS; j++) places.push([(2 * (j + 0.5)) / ARROWS - 1, (2 * (i + 0.5)) / ARROWS - 1]);
    }
    const cs = places.map(([a, b]) => coordinatesIn(cut, a, b)), poses = cs.map((c) => poseAt(cut.centre, c));
    const { slopes } = await this.pool.evaluate(this.model, Float64Array.from(poses.flat()), { urgency: BACKGROUND, signal });
    return places.map((at, k) => {
      const slope = slopeInCoordinates(poses[k], cs[k], slopes.subarray(12 * k, 12 * k + 12));
      return { at, slope: cut.axes.map((axis, i) => slope[axis] * cut.halfWidths[i]) };
    });
  }

  /** The climb of some poses, step by step; ends with an AbortError when it is stopped or another one begins. */
  async *climb(starts, { settings, representation, schedule, bounds }) {
    const signal = this.begin("climb");
    const evaluate = async (poses, slopes) => {
      const answer = await this.pool.evaluate(this.model, poses, { slopes, urgency: MOVING, signal });
      signal.throwIfAborted(); // the pool drops only what it has not begun
      return answer;
    };
    yield* climb(evaluate, starts, settings, representation, schedule, bounds);
  }
}

const gridShare = (i, grid) => (2 * i) / (grid - 1) - 1;

function coordinatesIn({ axes, halfWidths, offsets }, a, b) {
  const c = [...offsets];
  c[axes[0]] = a * halfWidths[0];
  c[axes[1]] = b * halfWidths[1];
  return c;
}

/** Whether an error only says that an answer is not needed any more. */
export const isAbort = (error) => error?.name === "AbortError";

/** Candidates of a frame for drawing: share of the value's range, the best one, and the way so far. */
export function candidatesOf(frames, until) {
  const frame = frames[until];
  const known = frame.scores.filter((s) => Number.isFinite(s)), low = Math.min(...known), high = Math.max(...known);
  const best = frame.scores.indexOf(high);
  return frame.poses.map((pose, i) => ({
    pose,
    share: Number.isFinite(frame.scores[i]) ? 0.15 + (0.85 * (frame.scores[i] - low)) / (high - low || 1) : 0.4,
    best: i === best && known.length > 1,
    path: frames.slice(0, until + 1).map((f) => positionOf(f.poses[i])),
  }));
}
