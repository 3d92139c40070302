// Poses in SE(3), as dgrasp/poses.py has them. A pose is 12 numbers: the first three rows of T_world_tcp, metres.

const normalized = (v) => {
  const length = Math.max(Math.hypot(...v), 1e-12);
  return v.map((x) => x / length);
};
export const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const column = (T, k) => [T[k], T[4 + k], T[8 + k]];
export const positionOf = (T) => [T[3], T[7], T[11]];

/** A pose from a rotation (9 numbers, row by row) and a position. */
export function poseOf(R, p) {
  return [R[0], R[1], R[2], p[0], R[3], R[4], R[5], p[1], R[6], R[7], R[8], p[2]];
}

export const rotationOf = (T) => [T[0], T[1], T[2], T[4], T[5], T[6], T[8], T[9], T[10]];

/** A point of the pose's frame in the world. */
export function placed(T, p) {
  return [0, 4, 8].map((r) => T[r] * p[0] + T[r + 1] * p[1] + T[r + 2] * p[2] + T[r + 3]);
}

function times(A, B) {
  const C = new Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) C[3 * i + j] = A[3 * i] * B[j] + A[3 * i + 1] * B[3 + j] + A[3 * i + 2] * B[6 + j];
  }
  return C;
}

/** Rotation of a unit quaternion (x, y, z, w). */
function ofQuaternion([x, y, z, w]) {
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
    2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
    2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
  ];
}

/** Unit quaternion of a rotation, by its largest component. */
function toQuaternion(R) {
  const [a, b, c, d, e, f, g, h, i] = R;
  const all = [
    [1 + a - e - i, b + d, c + g, h - f], [b + d, 1 - a + e - i, f + h, c - g],
    [c + g, f + h, 1 - a - e + i, d - b], [h - f, c - g, d - b, 1 + a + e + i],
  ];
  const largest = [0, 1, 2, 3].reduce((best, k) => (all[k][k] > all[best][best] ? k : best), 0);
  return normalized(all[largest]);
}

/** Gradient in a vector from that in its normalised self. */
function throughNorm(v, g) {
  const length = Math.max(Math.hypot(...v), 1e-12), n = v.map((x) => x / length), along = dot(n, g);
  return g.map((x, i) => (x - along * n[i]) / length);
}

const QUAT = {
  dim: 7,
  toPose: (v) => poseOf(ofQuaternion(normalized(v.slice(3))), v),
  fromPose: (T) => [...positionOf(T), ...toQuaternion(rotationOf(T))],
  normalize: (v) => [...v.slice(0, 3), ...normalized(v.slice(3))],
  /** Gradient in the vector from that in the pose's 12 numbers. */
  slope(v, g) {
    const [x, y, z, w] = normalized(v.slice(3));
    const [a, b, c, d, e, f, h, i, j] = rotationOf(g);
    const of = [
      2 * (y * (b + d) + z * (c + h) - 2 * x * (e + j) + w * (i - f)),
      2 * (x * (b + d) + z * (f + i) - 2 * y * (a + j) + w * (c - h)),
      2 * (x * (c + h) + y * (f + i) - 2 * z * (a + e) + w * (d - b)),
      2 * (x * (i - f) + y * (c - h) + z * (d - b)),
    ];
    return [...positionOf(g), ...throughNorm(v.slice(3), of)];
  },
};

const SIX_D = {
  dim: 9,
  toPose(v) {
    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), c = cross(a, b);
    return poseOf([a[0], b[0], c[0], a[1], b[1], c[1], a[2], b[2], c[2]], v);
  },
  fromPose: (T) => [...positionOf(T), ...column(T, 0), ...column(T, 1)],
  normalize(v) {
    const a = normalized(v.slice(3, 6)), b = v.slice(6, 9), along = dot(a, b);
    return [...v.slice(0, 3), ...a, ...normalized(b.map((x, i) => x - along * a[i]))];
  },
  slope(v, g) {
    const a = normalized(v.slice(3, 6)), b = normalized(v.slice(6, 9)), third = column(g, 2);
    const ofA = column(g, 0).map((x, i) => x + cross(b, third)[i]);
    const ofB = column(g, 1).map((x, i) => x + cross(third, a)[i]);
    return [...positionOf(g), ...throughNorm(v.slice(3, 6), ofA), ...throughNorm(v.slice(6, 9), ofB)];
  },
};

export const REPRESENTATIONS = { quat: QUAT, "6d": SIX_D };

/** Rotation by a rotation vector. */
export function turnBy(w) {
  const angle = Math.hypot(...w);
  if (angle < 1e-12) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const s = Math.sin(angle / 2) / angle;
  return ofQuaternion([w[0] * s, w[1] * s, w[2] * s, Math.cos(angle / 2)]);
}

/** Rotation vector of a rotation of less than half a turn. */
export function turnOf(R) {
  let [x, y, z, w] = toQuaternion(R);
  if (w < 0) [x, y, z, w] = [-x, -y, -z, -w];
  const s = Math.hypot(x, y, z), angle = 2 * Math.atan2(s, w), scale = s < 1e-12 ? 2 : angle / s;
  return [x * scale, y * scale, z * scale];
}

/** Angle between the rotations of two poses, radians. */
export function angleBetween(T, U) {
  const trace = dot(rotationOf(T), rotationOf(U));
  return Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2)));
}

// The six coordinates of a pose relative to a centre, as dgrasp/report/explorer/pose_slice.py has them: displacement
// along the world's axes (metres), rotation vector about those of the TCP (radians).
export const AXES = ["x", "y", "z", "about x", "about y", "about z"];
export const HALF_WIDTHS = [0.12, 0.12, 0.06, Math.PI / 3, Math.PI / 3, Math.PI / 3];

export function poseAt(centre, c) {
  const p = positionOf(centre).map((x, i) => x + c[i]);
  return poseOf(times(rotationOf(centre), turnBy(c.slice(3))), p);
}

export function coordinatesOf(centre, T) {
  const R = rotationOf(centre), p = positionOf(centre);
  const transposed = [R[0], R[3], R[6], R[1], R[4], R[7], R[2], R[5], R[8]];
  return [...positionOf(T).map((x, i) => x - p[i]), ...turnOf(times(transposed, rotationOf(T)))];
}

/** Slope per metre and per radian about the TCP's own axes, at the pose itself, from the gradient in its numbers. */
export function slopeAtPose(T, g) {
  const x = [0, 1, 2].map((k) => column(T, k)), gx = [0, 1, 2].map((k) => column(g, k));
  // R exp([w]): the column k moves by R (w cross e_k)
  return [
    ...positionOf(g),
    dot(x[2], gx[1]) - dot(x[1], gx[2]),
    dot(x[0], gx[2]) - dot(x[2], gx[0]),
    dot(x[1], gx[0]) - dot(x[0], gx[1]),
  ];
}

/** Slope in the six coordinates `c` round a centre from the gradient in the numbers of the pose there. */
export function slopeInCoordinates(T, c, g) {
  const at = slopeAtPose(T, g), w = c.slice(3), angle = Math.hypot(...w);
  const first = angle < 1e-6 ? 0.5 : (1 - Math.cos(angle)) / angle ** 2;
  const second = angle < 1e-4 ? 1 / 6 : (angle - Math.sin(angle)) / angle ** 3;
  // exp(w + d) = exp(w) exp(J d) with J = 1 - first [w] + second [w]^2; here J^T
  const turn = at.slice(3), once = cross(w, turn), twice = cross(w, once);
  return [...at.slice(0, 3), ...turn.map((x, i) => x + first * once[i] + second * twice[i])];
}

/** Random numbers in [0, 1) that a seed repeats (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A number from the normal distribution (Box and Muller). */
export const normalFrom = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** n poses: positions uniform between the corners, rotations uniform on SO(3). */
export function uniformPoses(n, [low, high], random) {
  return Array.from({ length: n }, () => {
    const p = low.map((a, i) => a + random() * (high[i] - a));
    return poseOf(ofQuaternion(normalized(Array.from({ length: 4 }, () => normalFrom(random)))), p);
  });
}
