// Workers that compute while the page stays free. Work comes in small pieces; what is urgent goes first.

const POSES_IN_A_PIECE = 8; // about 15 ms with slopes: how long something urgent waits
const MOST_WORKERS = 4; // more gain little, and a scene is kept by each

/** A worker, and what it is asked. */
class Hand {
  constructor(source) {
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(address);
    this.waiting = new Map();
    this.count = 0;
    this.busy = false;
    this.worker.onmessage = ({ data }) => this.answered(data);
    this.worker.onerror = (event) => this.failed(new Error(event.message || "a worker could not be started"));
  }

  ask(message) {
    return new Promise((resolve, reject) => {
      const id = this.count++;
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...message, id });
    });
  }

  answered({ id, error, ...answer }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(answer);
  }

  failed(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

/** Evaluates poses in parallel. `workers`: how many; by default as many as there are cores, four at most. */
export class Pool {
  constructor(source, wasm, workers = Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 2)) {
    this.hands = Array.from({ length: workers }, () => new Hand(source));
    this.pieces = [];
    this.ready = this.all({ what: "start", wasm });
  }

  all(message) {
    return Promise.all(this.hands.map((hand) => hand.ask(message)));
  }

  /** Give all workers a model (decompressed file). */
  async addModel(name, buffer) {
    await this.ready;
    await this.all({ what: "model", name, buffer });
  }

  /** Give all workers a scene (decompressed file). */
  async setScene(buffer) {
    await this.ready;
    await this.all({ what: "scene", buffer });
  }

  /**
   * Scores (n) and slopes (12 n) of poses (12 n) in the landscape of a model.
   * urgency: larger goes first. signal: an AbortSignal; what is not begun is dropped, and the promise rejected.
   */
  evaluate(model, poses, { slopes = true, urgency = 0, signal = null } = {}) {
    const n = poses.length / 12, parts = [];
    const result = { scores: new Float64Array(n), slopes: slopes ? new Float64Array(12 * n) : null };
    for (let first = 0; first < n; first += POSES_IN_A_PIECE) {
      const chosen = poses.slice(12 * first, 12 * Math.min(n, first + POSES_IN_A_PIECE));
      parts.push(this.piece({ what: "evaluate", model, poses: chosen, slopes }, urgency, signal).then((answer) => {
        result.scores.set(answer.scores, first);
        if (slopes) result.slopes.set(answer.slopes, 12 * first);
      }));
    }
    return Promise.all(parts).then(() => result);
  }

  piece(message, urgency, signal) {
    return new Promise((resolve, reject) => {
      const place = this.pieces.findIndex((other) => other.urgency < urgency);
      this.pieces.splice(place < 0 ? this.pieces.length : place, 0, { message, urgency, signal, resolve, reject });
      this.hand_out();
    });
  }

  hand_out() {
    this.pieces = this.pieces.filter((piece) => {
      if (piece.signal?.aborted) piece.reject(new DOMException("not needed any more", "AbortError"));
      return !piece.signal?.aborted;
    });
    for (const hand of this.hands) {
      if (hand.busy || this.pieces.length === 0) continue;
      const { message, resolve, reject } = this.pieces.shift();
      hand.busy = true;
      hand.ask(message).then(resolve, reject).finally(() => {
        hand.busy = false;
        this.hand_out();
      });
    }
  }

  /** Stop all workers. */
  close() {
    for (const hand of this.hands) hand.worker.terminate();
  }
}
